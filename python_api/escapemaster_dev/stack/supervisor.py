"""Starts the parts in the order of what they need, watches them, and stops them all."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psycopg

from escapemaster_dev.stack import migrations
from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.environment import (
    process_environment_in,
    stack_environment,
    with_own_accounts,
    write_environment,
)
from escapemaster_dev.stack.errors import PartDied, PartNotReady, how_it_ended
from escapemaster_dev.stack.gateway import Gateway
from escapemaster_dev.stack.lite import NAME as AUTH
from escapemaster_dev.stack.parts import POSTGRES, Part, Parts
from escapemaster_dev.stack.platform import (
    create_platform_database,
    make_template,
    mend_after_auth,
)
from escapemaster_dev.stack.ports import require_free
from escapemaster_dev.stack.postgres import Cluster, locate
from escapemaster_dev.stack.processes import Child, Command, keep_short, stop_all
from escapemaster_dev.stack.reporter import Reporter, step
from escapemaster_dev.stack.restarts import Restarts
from escapemaster_dev.stack.state import supervising, write_state
from escapemaster_dev.stack.supabase_config import read_supabase_config

DATABASE = "postgres"
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.015
_WATCH_SECONDS = 0.2
_KEEP_LOGS_SHORT_SECONDS = 10.0
_SEED = "demo data"


class StopRequested(Exception):
    """Somebody pressed Ctrl-C, or asked this process to end."""


class Supervisor:
    """One stack, from its first process to its last."""

    def __init__(
        self,
        config: StackConfig,
        reporter: Reporter,
        *,
        seed: bool,
        until_gone: int | None = None,
    ) -> None:
        """A stack that is not started yet.

        Args:
            config: Where it is.
            reporter: Hears what is being done.
            seed: Whether the demo data is put in.
            until_gone: Stop when the process with this id has ended.
        """
        self._config = config
        self._reporter = reporter
        self._seed = seed
        self._until_gone = until_gone
        self._children: list[Child] = []
        self._tasks: list[Child] = []
        self._parts: dict[str, Part] = {}
        self._restarts: dict[str, Restarts] = {}
        self._mending: Child | None = None
        self._cluster: Cluster | None = None
        self._stop_requested = False
        self._server: Child | None = None
        self._status = "starting"

    def run(self, when_ready: Callable[[dict[str, str]], None]) -> None:
        """Start everything, call `when_ready` with the stack's variables, and stay until told.

        Returns after Ctrl-C or SIGTERM, with everything stopped.

        Raises:
            StackError: it cannot start, or a part died; everything is stopped by then.
        """
        self._config.prepare()
        with supervising(self._config):
            require_free(self._config.ports)
            with self._listening_for_signals():
                try:
                    variables = self._start()
                    self._tell("ready")
                    when_ready(variables)
                    self._watch()
                except Exception as error:
                    # Ctrl-C reaches a tool in the foreground, too, and makes it fail.
                    if not (isinstance(error, StopRequested) or self._stop_requested):
                        self._stop()
                        self._tell("failed", str(error))
                        raise
                finally:
                    self._stop()
            self._tell("stopped")

    def _start(self) -> dict[str, str]:
        config = self._config
        credentials = Credentials.load_or_generate(config.secrets)
        supabase = read_supabase_config(config.root)
        variables = stack_environment(config, credentials)
        if config.durable:
            variables = with_own_accounts(variables, os.environ)
        write_environment(config.environment, variables)
        gateway = Gateway(config)
        gateway.write(credentials)
        gateway.write_demo_config(credentials)
        parts = Parts(config, credentials, supabase, process_environment_in(config.home, variables))

        cluster = locate(
            config.home,
            port=config.ports.postgres,
            password=credentials.superuser_password,
            durable=config.durable,
        )
        new = cluster.is_new
        if new:
            with step(self._reporter, "making the database"):
                cluster.initialise()
        self._cluster = cluster
        with step(self._reporter, POSTGRES):
            self._server = cluster.start(self._log(POSTGRES))
            self._children.append(self._server)
            cluster.wait_until_up(self._server)
        # What needs nothing of the database starts while the database is being made.
        early = [
            self._spawn(part)
            for part in (
                parts.api(),
                parts.stripe(),
                parts.mailbox(),
                parts.edge(),
                parts.gateway(),
            )
        ]
        if new:
            with step(self._reporter, "the platform: roles, auth, storage"):
                make_template(cluster, credentials, supabase, config.ports.lite, config.home)
                create_platform_database(cluster.dsn("template1"), DATABASE)
                cluster.mark_complete()
        self._tell("database")
        self._wait_for([self._spawn(parts.lite())])
        mend_after_auth(cluster.dsn(DATABASE))
        self._migrate(variables["DATABASE_URL"])
        gateway_part = early.pop()
        if (pooler := parts.pooler()) is not None:
            self._wait_for([self._spawn(pooler)])
        self._wait_for([self._spawn(parts.postgrest()), gateway_part])
        seeding = self._begin_seed(variables) if self._seed else None
        self._wait_for([*early, self._spawn(parts.worker())])
        if seeding is not None:
            self._finish_seed(seeding)
            gateway.write_demo_config(credentials)
        return variables

    def _migrate(self, database_url: str) -> None:
        if migrations.pending(database_url, self._config.root):
            with step(self._reporter, "migrations"):
                migrations.push(database_url, self._config.root)
        migrations.set_up_for_development(database_url)

    def _begin_seed(self, variables: dict[str, str]) -> Child:
        """The demo is made by a command of its own, beside what is still starting."""
        self._reporter.begin(_SEED)
        environment = {**variables, "ESCAPEMASTER_HOME": str(self._config.home)}
        seeding = Child(
            Command(
                name=_SEED,
                arguments=[sys.executable, "-m", "escapemaster_dev", "seed"],
                environment=process_environment_in(self._config.home, environment),
                cwd=self._config.root,
            ),
            self._log(_SEED),
        )
        self._tasks.append(seeding)
        return seeding

    def _finish_seed(self, seeding: Child) -> None:
        while (code := seeding.exit_code()) is None:
            self._go_on()
            time.sleep(_POLL_SECONDS)
        self._tasks.remove(seeding)
        if code != 0:
            raise PartDied(_SEED, code, seeding.log_tail())
        self._reporter.end(_SEED)

    def _spawn(self, part: Part) -> tuple[Part, Child]:
        self._go_on()
        self._reporter.begin(part.name)
        child = Child(part.command, self._log(part.name))
        self._children.append(child)
        self._parts[part.name] = part
        self._tell(self._status)
        return part, child

    def _wait_for(self, started: Sequence[tuple[Part, Child]]) -> None:
        """Return when all of them answer."""
        waiting = list(started)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while waiting:
            self._go_on()
            for part, child in list(waiting):
                if part.ready():
                    self._reporter.end(part.name)
                    waiting.remove((part, child))
            if waiting and time.monotonic() > deadline:
                part, child = waiting[0]
                raise PartNotReady(part.name, _PATIENCE_SECONDS, child.log_tail())
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def _listening_for_signals(self) -> Iterator[None]:
        """Note a request to stop, for the next look at `_go_on`.

        The handler raises nothing: Python drops an exception that comes up while it forks, and the
        request would be lost.
        """

        def note(_number: int, _frame: FrameType | None) -> None:
            self._stop_requested = True

        watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {each: signal.signal(each, note) for each in watched}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _watch(self) -> None:
        looked_at_logs = time.monotonic()
        while self._until_gone is None or _exists(self._until_gone):
            if self._stop_requested:
                raise StopRequested
            self._revive()
            if time.monotonic() - looked_at_logs > _KEEP_LOGS_SHORT_SECONDS:
                looked_at_logs = time.monotonic()
                for child in self._children:
                    keep_short(child.log)
            time.sleep(_WATCH_SECONDS)

    def _revive(self) -> None:
        """Start again what died, when its pause is over; raise if that was often enough."""
        now = time.monotonic()
        for place, child in enumerate(self._children):
            if (code := child.exit_code()) is None:
                continue
            restarts = self._restarts.setdefault(child.name, Restarts())
            if restarts.due is None:
                if not restarts.died(now, now - child.started, how_it_ended(code)):
                    raise PartDied(child.name, code, child.log_tail())
            elif now >= restarts.due:
                self._children[place] = self._start_again(child)
                restarts.started()
            else:
                continue
            self._tell(self._status)
        self._mend_what_auth_wrote()

    def _start_again(self, child: Child) -> Child:
        if child is self._server and self._cluster is not None:
            self._server = self._cluster.start(child.log, again=True)
            return self._server
        anew = Child(child.command, child.log, again=True)
        if child.name == AUTH:
            self._mending = anew
        return anew

    def _mend_what_auth_wrote(self) -> None:
        """Each start of Auth writes some functions anew, as soon as it can."""
        if self._mending is None or self._cluster is None:
            return
        if self._mending.exit_code() is not None:
            self._mending = None
        elif self._parts[AUTH].ready():
            with suppress(psycopg.OperationalError):  # the server lies still, too: next time
                mend_after_auth(self._cluster.dsn(DATABASE))
                self._mending = None

    def _go_on(self) -> None:
        """Raise if somebody asked to stop, or a part has died."""
        if self._stop_requested:
            raise StopRequested
        for child in self._children:
            if (code := child.exit_code()) is not None:
                raise PartDied(child.name, code, child.log_tail())

    def _stop(self) -> None:
        """Stop the clients of the database first, then the database."""
        others = [child for child in self._children if child is not self._server]
        stop_all([*self._tasks, *others])
        if self._server is not None:
            stop_all([self._server], patience_seconds=20)
        self._children = []
        self._tasks = []
        self._server = None

    def _tell(self, status: str, message: str = "") -> None:
        self._status = status
        write_state(self._config, status, self._children, message, self._restarts)

    def _log(self, name: str) -> Path:
        return self._config.logs / f"{log_name(name)}.log"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def log_name(part: str) -> str:
    """The file name of a part's log: `Auth and Storage` → `auth-and-storage`."""
    return part.lower().replace(" ", "-")


def cluster_of(config: StackConfig) -> Cluster:
    """The PostgreSQL of a stack, running or not."""
    credentials = Credentials.load_or_generate(config.secrets)
    return locate(
        config.home,
        port=config.ports.postgres,
        password=credentials.superuser_password,
        durable=config.durable,
    )
