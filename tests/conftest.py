"""Fixtures for every level of tests; `tests/stack.py` holds what they are made of."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, Page, expect, sync_playwright
from psycopg import sql
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

import stack as stack_of_the_run
from escapemaster_dev.schema.server import Server, scratch_server
from escapemaster_dev.stack import migrations
from escapemaster_dev.stack.config import ROOT
from escapemaster_dev.stack.platform import create_platform_database
from matrix.databases import WITHOUT_PLAN_LIMITS
from stack import Mailbox, Rest, Stack, User, Users

pytest_plugins = [
    "plugins.scratch",
    "plugins.function_coverage",
    "plugins.dearest_first",
    "matrix.fixtures",
]

# Nothing of what is imported and collected goes away again. To look for garbage among it over and
# over was a third of what collecting costs each worker, and a tenth of what its tests do.
gc.disable()

#: What every test that asks for a database of its own gets a copy of.
MIGRATED = "migrated"

# How long an example takes says something about the machine, not about the promise.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# What a page is to show may take its time, too: the five seconds that are usual are few for a
# machine with other things to do.
expect.set_options(timeout=stack_of_the_run.PATIENCE * 1000)

_PORTS = pytest.StashKey[IO[str] | None]()


def _leads(config: pytest.Config) -> bool:
    """Whether this process leads the run: not a worker of pytest-xdist."""
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """The leading process chooses ports and place of the run's stack; nothing is started yet."""
    if _leads(config):
        os.environ["ESCAPEMASTER_TEST_LEADER"] = str(os.getpid())
        config.stash[_PORTS] = stack_of_the_run.reserve()
    coverage = config.pluginmanager.getplugin("_cov")
    if coverage and not _is_whole(config):
        coverage.options.cov_fail_under = 0


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests are run: only then does it say something how much they reach."""
    chosen = config.option
    return config.args_source is config.ArgsSource.TESTPATHS and not (
        chosen.keyword or chosen.markexpr or chosen.deselect or chosen.lf
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """A run of all tests starts the stack at once: it comes up while the workers collect them."""
    config = session.config
    runs = config.option.numprocesses and not config.option.collectonly
    if _leads(config) and _is_whole(config) and runs:
        stack_of_the_run.ensure_started()
        if not (sys.flags.dont_write_bytecode or _are_compiled()):
            # While the stack comes up. What it finds wrong the workers find, too, and say.
            collect = ["--collect-only", "-qq", "--numprocesses=0", "--no-cov"]
            subprocess.run(
                [sys.executable, "-m", "pytest", *collect],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                check=False,
            )


def _are_compiled() -> bool:
    """Whether an earlier run has left its test modules compiled; else each worker compiles all."""
    compiled = f"__pycache__/*.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    return any((ROOT / "tests" / "db").glob(compiled))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """From here on there is garbage, but not among what is there already."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the ports back."""
    if lock := config.stash.get(_PORTS, None):
        lock.close()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Stop the stack when the tests are done, before the coverage of its processes is counted."""
    try:
        return (yield)
    finally:
        if _leads(session.config):
            stack_of_the_run.stop()


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The run's stack, all parts answering. Its database is empty but for what tests put there."""
    stack_of_the_run.ensure_started()
    stack_of_the_run.wait_for_status("ready")
    made = Stack.of(stack_of_the_run.config())
    # All tests come from one address. What one address may do is proven in test_booking_limits.
    with psycopg.connect(made.owner_dsn) as connection:
        connection.execute(
            "update private.rate_limit_rules set max_hits = 1000000 where scope = 'address'"
            " and action in ('attempt', 'public_read', 'hold_booking', 'manage_booking',"
            " 'try_code', 'join_organization', 'join_waitlist')"
        )
        connection.execute(WITHOUT_PLAN_LIMITS)
    return made


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The run's PostgreSQL, on which scratch databases may be made.

    A run in one process (`-n0`) does not start the whole stack for it.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with scratch_server() as alone:
            yield alone
        return
    stack_of_the_run.ensure_started()
    stack_of_the_run.wait_for_status("database")
    made = Stack.of(stack_of_the_run.config())
    yield Server(admin_dsn=made.admin_dsn, owner_dsn=made.owner_dsn)


@pytest.fixture(scope="session")
def gateway(stack: Stack) -> Iterator[httpx.Client]:
    """Plain HTTP to the gateway, without a key."""
    with stack_of_the_run.client(stack.url) as http:
        yield http


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[httpx.Client]:
    """Plain HTTP to the Python service."""
    with stack_of_the_run.client(stack.api_url) as http:
        yield http


@pytest.fixture(scope="session")
def mailbox(stack: Stack) -> Iterator[Mailbox]:
    """The mailbox."""
    with stack_of_the_run.client(stack.mailbox_url) as http:
        yield Mailbox(http)


@pytest.fixture(scope="session")
def anon(stack: Stack, gateway: httpx.Client) -> Rest:
    """PostgREST as somebody who has not signed in."""
    return Rest(gateway, {"apikey": stack.publishable_key})


@pytest.fixture(scope="session")
def service(stack: Stack, gateway: httpx.Client) -> Rest:
    """PostgREST as the Python service: the secret key, schema `service`."""
    return Rest(gateway, {"apikey": stack.secret_key}, schema="service")


@pytest.fixture(scope="session")
def make_user(stack: Stack, gateway: httpx.Client) -> Callable[..., User]:
    """`make_user(email=None, password=…)` signs somebody up."""
    return Users(stack, gateway).make


@pytest.fixture(scope="session")
def as_user(stack: Stack, gateway: httpx.Client) -> Callable[..., Rest]:
    """`as_user(user, organization_id=None)`: PostgREST as that user, for that organization."""

    def client(user: User, organization_id: object = None) -> Rest:
        headers = {
            "apikey": stack.publishable_key,
            "Authorization": f"Bearer {user.access_token}",
        }
        if organization_id is not None:
            headers["x-organization-id"] = str(organization_id)
        return Rest(gateway, headers)

    return client


@pytest.fixture(scope="session")
def migrated(server: Server) -> str:
    """The template of databases with all migrations, made once a run as deployments are."""
    with (stack_of_the_run.config().home / "migrated.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s and datistemplate", [MIGRATED]
            ).fetchone()
            if found is None:
                create_platform_database(server.admin_dsn, MIGRATED)
                if migrations.pending(server.dsn(MIGRATED), ROOT):
                    migrations.push(server.dsn(MIGRATED), ROOT)
                connection.execute(
                    f"alter database {MIGRATED} is_template true allow_connections false"
                )
    return MIGRATED


class _RunServer(NoopExecutor):
    """Tells pytest-postgresql of the run's server."""

    @property
    def template_dbname(self) -> str:
        """Databases are copies of this one."""
        return MIGRATED


@pytest.fixture(scope="session")
def postgresql_server(server: Server, migrated: str) -> NoopExecutor:
    """For pytest-postgresql: the run's server, as the superuser.

    Dropping a database ends the sessions in it, and only a superuser may end autovacuum's.
    """
    info = psycopg.conninfo.conninfo_to_dict(server.admin_dsn)
    return _RunServer(
        host=str(info["host"]),
        port=str(info["port"]),
        user=str(info["user"]),
        password=str(info["password"]),
        options="",
        dbname=f"test_{uuid4().hex[:12]}",
    )


_own_database = factories.postgresql("postgresql_server")


@pytest.fixture
def postgresql(
    _own_database: psycopg.Connection[Any], server: Server
) -> Iterator[psycopg.Connection[Any]]:
    """A connection, as the owner of our objects, to a new database with all migrations."""
    name = _own_database.info.dbname
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter database {} owner to postgres").format(sql.Identifier(name))
        )
    with psycopg.connect(server.dsn(name)) as connection:
        yield connection


@pytest.fixture
def database(postgresql: psycopg.Connection[Any], server: Server) -> str:
    """The owner's URL of a new database with all migrations; gone after the test."""
    return server.dsn(postgresql.info.dbname)


@pytest.fixture(scope="module")
def _chromium_of_the_module() -> Iterator[Browser]:
    """A started Chromium: starting one costs more than most of what is done in it.

    Not of the whole run: an event loop of Playwright's runs in this thread for as long as it is
    there, and tests with a loop of their own could not have it.
    """
    with sync_playwright() as playwright:
        executable, arguments = _chromium()
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=[
                *arguments,
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--disable-gpu",
                "--disable-quic",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def browser(_chromium_of_the_module: Browser) -> Iterator[Browser]:
    """A headless Chromium: the machine's own, else the one inside an npm package.

    Its contexts (pages, cookies, cache) are the test's own and end with it.
    """
    assert _chromium_of_the_module.is_connected(), "an earlier test has ended the browser"
    yield _chromium_of_the_module
    for context in _chromium_of_the_module.contexts:
        context.close()


@pytest.fixture
def page(browser: Browser) -> Page:
    """A new page of it."""
    page = browser.new_page(locale="en-GB", timezone_id="UTC")
    page.set_default_timeout(stack_of_the_run.PATIENCE * 1000)
    return page


#: The packed Chromium is made for functions in the cloud; these of its flags are only for there.
#: With everything in one process the whole browser ends when a second context is closed; the others
#: switch off what keeps a page from another origin's answers, which these tests are about.
_FOR_THE_CLOUD_ONLY = {
    "--single-process",
    "--disable-web-security",
    "--allow-running-insecure-content",
}


def _chromium() -> tuple[str, list[str]]:
    """Where a Chromium is, and what it wants to be started with."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found, []
    script = (
        "const {default: c} = await import('@sparticuz/chromium');"
        "console.log([await c.executablePath(), ...c.args].join('\\n'))"
    )
    # It unpacks itself into the temporary directory, which another account's may be there already.
    place = ROOT / ".local" / "chromium"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packed = subprocess.run(
            ["node", "--input-type=module", "-e", script],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(place)},
            capture_output=True,
            text=True,
            check=True,
        )
    executable, *arguments = packed.stdout.splitlines()
    return executable, [flag for flag in arguments if flag not in _FOR_THE_CLOUD_ONLY]
