"""The throw-away stack that the tests run on: started by the first test that needs it, shared by
all workers of the run, stopped with it. Tests keep out of each other's way by tenant."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from escapemaster_dev.seed.clients import register
from escapemaster_dev.stack.config import Ports, StackConfig
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.environment import read_environment
from escapemaster_dev.stack.errors import PortTaken, StackError
from escapemaster_dev.stack.ports import require_free
from escapemaster_dev.stack.postgres import SUPERUSER
from escapemaster_dev.stack.state import is_running, read_state, stop_running
from plugins.answer_promises import kept
from plugins.listed_refusals import is_code, listed

#: Below the range that Linux takes for outgoing connections, any of which could hold a port.
_FIRST_PORT = 21321
_PORT_STEP = 40
_HOME = "ESCAPEMASTER_TEST_HOME"
_PORT = "ESCAPEMASTER_TEST_PORT"
_PATIENCE_SECONDS = 300
#: Seconds that anything may take on a machine that has other things to do; what happens ends the
#: wait, so that they cost nothing.
PATIENCE = 90.0

#: Files here are memory. On a disk all is written that is gone with the run, and a database's copy
#: took 0.4 s of processor time where the disk's cache was full; here it takes 0.05.
_MEMORY = Path("/dev/shm")  # noqa: S108 - only directories of one account's own are made in it
#: What has to be free for it: a run writes some 4 GB, and its processes take as much.
_ROOM_IN_MEMORY = 6 * 2**30
_FREE_MEMORY = 12 * 2**30

T = TypeVar("T")


def reserve() -> IO[str] | None:
    """Choose the run's ports and state directory, and tell the workers through the environment.

    Nothing is started. Only the process that leads the run does this.

    Returns:
        A lock that has to be kept for as long as the run lasts, so that two runs on one machine
        never choose the same ports.
    """
    prefix = f"escapemaster-test-{os.getpid()}-"
    os.environ[_HOME] = tempfile.mkdtemp(prefix=prefix, dir=_memory_with_room())
    Path(os.environ[_HOME]).chmod(0o711)
    if os.environ.get(_PORT):
        return None
    for base in range(_FIRST_PORT, _FIRST_PORT + 100 * _PORT_STEP, _PORT_STEP):
        lock = (Path(tempfile.gettempdir()) / f"escapemaster-test-{os.getuid()}-{base}").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            require_free(Ports(base))
        except (BlockingIOError, PortTaken):
            lock.close()
            continue
        os.environ[_PORT] = str(base)
        return lock
    raise StackError("no ports are free for the tests")


def _memory_with_room() -> Path | None:
    """Where files are memory, if there is enough of it and nobody has chosen another place."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    _forget_dead_runs()
    room = os.statvfs(_MEMORY)
    enough = room.f_bavail * room.f_frsize >= _ROOM_IN_MEMORY and _free_memory() >= _FREE_MEMORY
    return _MEMORY if enough else None


def _free_memory() -> int:
    """How much this process may take, in bytes: of the machine's, and of its container's."""
    found = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
    free = [int(found[1]) * 1024 if found else 0]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        # What the container uses is not subtracted: most of it is the cache of a disk.
        with suppress(OSError, ValueError):
            free.append(int((Path("/sys/fs/cgroup") / limit).read_text()))
    return min(free)


def _forget_dead_runs() -> None:
    """Give back the memory of runs that were killed, which a restart alone would give back."""
    for home in _MEMORY.glob("escapemaster-test-*-*"):
        with suppress(OSError, ValueError):
            leader = int(home.name.split("-")[2])
            if home.stat().st_uid == os.geteuid() and not Path(f"/proc/{leader}").exists():
                shutil.rmtree(home, ignore_errors=True)


@contextmanager
def directory(name: str) -> Iterator[Path]:
    """A directory for the files of a server of a test's own, until the block ends.

    It is where the run's stack is, so in memory if that is, and open to the server's account.
    """
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=os.environ[_HOME]) as made:
        Path(made).chmod(0o711)
        yield Path(made)


def config() -> StackConfig:
    """The run's stack, started or not."""
    home = Path(os.environ[_HOME])
    return StackConfig(home=home, ports=Ports(int(os.environ[_PORT])), durable=False)


def join(where: StackConfig) -> None:
    """Let a stack that runs already be the run's; nobody here stops it."""
    os.environ[_HOME] = str(where.home)
    os.environ[_PORT] = str(where.ports.base)


def ensure_started(*, durable: bool = False) -> None:
    """Start the stack unless a worker of this run has done so; return at once."""
    where = config()
    with (where.home / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (where.home / "supervisor.log").exists():
            return
        leader = os.environ["ESCAPEMASTER_TEST_LEADER"]
        with (where.home / "supervisor.log").open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "escapemaster_dev", "up"),
                    *("--no-seed", f"--until-gone={leader}"),
                    "--durable" if durable else "--throw-away",
                ],
                env=environment_of(where),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # It outlives this worker, and is stopped by the process that leads the run.
        process.returncode = 0


def environment_of(where: StackConfig) -> dict[str, str]:
    """The environment in which `escapemaster` means this stack."""
    return {
        **os.environ,
        "ESCAPEMASTER_HOME": str(where.home),
        "ESCAPEMASTER_PORT": str(where.ports.base),
    }


def wait_for_status(wanted: str) -> None:
    """Wait until the stack says so (`database` comes before `ready`).

    Raises:
        StackError: it stopped instead; the text is what it said.
    """
    where = config()
    reached = {"database": ("database", "ready"), "ready": ("ready",)}[wanted]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        state = read_state(where)
        if state is not None and state.status in reached:
            return
        if state is not None and state.status == "failed":
            raise StackError(state.message)
        if time.monotonic() > deadline:
            raise StackError((where.home / "supervisor.log").read_text())
        time.sleep(0.05)


def stop() -> None:
    """Stop the stack, if a test has started it, and delete its data."""
    from escapemaster_dev.stack.supervisor import cluster_of

    where = config()
    if is_running(where):
        stop_running(where)
    if where.secrets.exists():
        cluster_of(where).remove()
    shutil.rmtree(where.home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack.

    Attributes:
        variables: Everything in its `stack.env`.
        url: The gateway.
        owner_dsn: The database as `postgres`, the role that owns our objects.
        admin_dsn: The database as the superuser.
    """

    home: Path
    ports: Ports
    variables: Mapping[str, str]
    url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str
    api_url: str
    functions_url: str
    mailbox_url: str
    stripe_url: str
    owner_dsn: str
    admin_dsn: str

    @classmethod
    def of(cls, where: StackConfig) -> Stack:
        """Read the files of a started stack."""
        variables = read_environment(where.environment)
        credentials = Credentials.load_or_generate(where.secrets)
        return cls(
            home=where.home,
            ports=where.ports,
            variables=variables,
            url=variables["SUPABASE_URL"],
            publishable_key=variables["SUPABASE_PUBLISHABLE_KEY"],
            secret_key=variables["SUPABASE_SECRET_KEY"],
            jwt_secret=variables["SUPABASE_JWT_SECRET"],
            api_url=variables["API_URL"],
            functions_url=variables["EDGE_FUNCTIONS_URL"],
            mailbox_url=variables["MAILBOX_URL"],
            stripe_url=variables["STRIPE_SANDBOX_URL"],
            owner_dsn=variables["DATABASE_URL"],
            admin_dsn=(
                f"postgresql://{SUPERUSER}:{credentials.superuser_password}"
                f"@127.0.0.1:{where.ports.postgres}/postgres"
            ),
        )


def _owner_dsn() -> str:
    return Stack.of(config()).owner_dsn


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has signed up."""

    id: str
    email: str
    password: str
    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Rest:
    """PostgREST through the gateway, as one caller. Every method returns the raw response."""

    http: httpx.Client
    headers: Mapping[str, str]
    schema: str = "public"

    def rpc(self, function: str, **arguments: Any) -> httpx.Response:
        """Call a function. Its answer is held against its type, a refusal against its comment."""
        response = self.request("POST", f"rpc/{function}", json=arguments)
        if not response.content:
            return response
        if response.is_success:
            kept(_owner_dsn, f"{self.schema}.{function}", response.json())
        elif is_code(code := str(response.json().get("message"))):
            listed(_owner_dsn, f"{self.schema}.{function}", code)
        return response

    def get(self, path: str, **query: str) -> httpx.Response:
        """Read rows: `get("bookings", select="*,rooms(name)", order="starts_at")`."""
        return self.request("GET", path, params=query)

    def insert(self, table: str, rows: Any) -> httpx.Response:
        """Insert one row or a list; the answer holds what was inserted."""
        return self.request("POST", table, json=rows, headers={"Prefer": "return=representation"})

    def update(self, table: str, changes: Any, **query: str) -> httpx.Response:
        """Change the rows that the query names; the answer holds them."""
        return self.request(
            "PATCH",
            table,
            json=changes,
            params=query,
            headers={"Prefer": "return=representation"},
        )

    def delete(self, table: str, **query: str) -> httpx.Response:
        """Delete the rows that the query names; the answer holds them."""
        return self.request(
            "DELETE", table, params=query, headers={"Prefer": "return=representation"}
        )

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Any request to `/rest/v1/<path>`."""
        profiles = {"Accept-Profile": self.schema, "Content-Profile": self.schema}
        return self.http.request(
            method,
            f"/rest/v1/{path}",
            headers={**profiles, **self.headers, **(headers or {})},
            **options,
        )


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mailbox that every mail of the stack lands in."""

    http: httpx.Client

    def of(self, address: str) -> list[dict[str, Any]]:
        """The mails to an address, oldest first."""
        # Of all that a run sends, this is asked for again and again.
        found = self.http.get("/api/email", params={"to.address": address}).raise_for_status()
        mails: list[dict[str, Any]] = found.json()
        return mails

    def code_for(self, address: str) -> str:
        """The code in the first mail that Auth sends to an address."""
        html = str(self.wait_for(address)[0]["html"])
        found = re.search(r"<strong>(\d{6})</strong>", html)
        assert found is not None, html
        return found[1]

    def wait_for(
        self, address: str, *, count: int = 1, seconds: float = PATIENCE
    ) -> list[dict[str, Any]]:
        """Wait until an address has so many mails; return them."""
        return wait_until(
            lambda: mails if len(mails := self.of(address)) >= count else None, seconds=seconds
        )


def wait_until(condition: Callable[[], T | None], *, seconds: float = PATIENCE) -> T:
    """Call until the answer is neither None nor False, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true within {seconds} s")
        time.sleep(0.05)


def in_one_hour(work: Callable[[], T]) -> T:
    """What holds within an hour of the clock: if that ends before the work fails, it is done anew.

    Limits count an hour, and a day, by the clock: whoever comes to one around its end is forgiven.
    """
    while True:
        hour = time.time() // 3600
        try:
            return work()
        except (Exception, pytest.fail.Exception):
            if time.time() // 3600 == hour:
                raise


@dataclass
class Users:
    """Makes accounts whose addresses count as proven, and signs in through the gateway."""

    stack: Stack
    http: httpx.Client
    _count: int = field(default=0)

    def make(self, email: str | None = None, password: str = "a long enough password") -> User:
        """A new user with a session."""
        self._count += 1
        address = email or f"user-{os.getpid()}-{time.monotonic_ns()}@example.test"
        with psycopg.connect(self.stack.owner_dsn, row_factory=dict_row) as connection:
            register(connection, email=address, password=password)
        answer = self.http.post(
            "/auth/v1/token?grant_type=password",
            headers={"apikey": self.stack.publishable_key},
            json={"email": address, "password": password},
        )
        assert answer.status_code == 200, answer.text
        session = answer.json()
        return User(
            id=session["user"]["id"],
            email=address,
            password=password,
            access_token=session["access_token"],
            refresh_token=session["refresh_token"],
        )


def own_address() -> str:
    """An address of this machine (in 127.0.0.0/8) that nobody else sends from: limits count it."""
    return f"127.{'.'.join(str(part) for part in uuid.uuid4().bytes[:3])}"


@contextmanager
def client(base_url: str) -> Iterator[httpx.Client]:
    """An HTTP client that never leaves this machine through a proxy.

    It gives up connections that have been idle for a second: the mailbox does so after five.
    """
    limits = httpx.Limits(keepalive_expiry=1)
    with httpx.Client(base_url=base_url, timeout=PATIENCE, limits=limits, trust_env=False) as http:
        yield http
