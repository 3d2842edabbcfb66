"""The database as a hosted project has it before our first migration.

One database of the cluster, `PLATFORM_TEMPLATE`, holds Supabase's roles' grants, `auth`, `storage`
and `extensions`, and is never connected to again: every database of ours is a copy of it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql

from escapemaster_dev.stack import health, lite
from escapemaster_dev.stack.config import ROOT
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.environment import process_environment_in
from escapemaster_dev.stack.errors import PartNotReady
from escapemaster_dev.stack.postgres import OWNER, SUPERUSER, Cluster, locate
from escapemaster_dev.stack.processes import Child, stop_all
from escapemaster_dev.stack.supabase_config import SupabaseConfig, read_supabase_config

PLATFORM_TEMPLATE = "platform"


def create_platform_database(admin_dsn: str, name: str) -> None:
    """Make a database that holds the platform and none of our objects, owned by `postgres`.

    Args:
        admin_dsn: The superuser's URL of any database on a server that this package prepared.
        name: Of the new database; one that exists already is dropped.
    """
    database = sql.Identifier(name)
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(database))
        connection.execute(
            # Its files are copied: page by page through the log takes three times as long.
            sql.SQL("create database {} template {} owner {} strategy file_copy").format(
                database, sql.Identifier(PLATFORM_TEMPLATE), sql.Identifier(OWNER)
            )
        )
        # Auth and Storage ask for their schemas at every start.
        connection.execute(
            sql.SQL("grant create on database {} to {}, supabase_storage_admin").format(
                database, sql.Identifier(lite.USER)
            )
        )


def mend_after_auth(dsn: str) -> None:
    """Make `auth` and `storage` as hosted again, after Auth and Storage have started."""
    with psycopg.connect(dsn) as connection:
        connection.execute(_script("after_auth.sql"))
        # Hosted, supautils lets it set these (supautils.privileged_role_allowed_configs).
        connection.execute(
            "grant set on parameter log_min_messages, session_replication_role to postgres"
        )


def make_template(
    cluster: Cluster, credentials: Credentials, config: SupabaseConfig, port: int, home: Path
) -> None:
    """Make the roles and the template database of a new, running cluster.

    Args:
        cluster: The server.
        credentials: The passwords that the roles get.
        config: Auth's settings.
        port: A free port for the one start of Auth and Storage that this takes.
        home: A directory for its configuration and log.
    """
    with psycopg.connect(cluster.dsn("template1"), autocommit=True) as connection:
        connection.execute(_script("roles.sql"))
        for role, password in {
            OWNER: credentials.owner_password,
            "authenticator": credentials.authenticator_password,
            lite.USER: credentials.auth_password,
        }.items():
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
            )
        template = sql.Identifier(PLATFORM_TEMPLATE)
        connection.execute(sql.SQL("create database {} owner postgres").format(template))
        connection.execute(
            sql.SQL("grant create on database {} to {}").format(template, sql.Identifier(lite.USER))
        )
    with psycopg.connect(cluster.dsn(PLATFORM_TEMPLATE)) as connection:
        connection.execute(_script("before_auth.sql"))
    _run_auth_once(cluster, credentials, config, port, home)
    mend_after_auth(cluster.dsn(PLATFORM_TEMPLATE))
    with psycopg.connect(cluster.dsn("template1"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter database {} is_template true allow_connections false").format(template)
        )


@contextmanager
def throwaway_server() -> Iterator[tuple[str, str]]:
    """A server with the template, for as long as the block runs.

    Yields:
        The URLs of the superuser and of `postgres`, both of the maintenance database.
    """
    credentials = Credentials.generate()
    with TemporaryDirectory(prefix="escapemaster-") as directory:
        home = Path(directory)
        home.chmod(0o711)
        port, auth_port = _free_ports(2)
        cluster = locate(home, port=port, password=credentials.superuser_password, durable=False)
        cluster.initialise()
        server = cluster.start(home / "postgres.log")
        try:
            cluster.wait_until_up(server)
            config = read_supabase_config(ROOT)
            make_template(cluster, credentials, config, auth_port, home)
            owner = f"postgresql://{OWNER}:{credentials.owner_password}@127.0.0.1:{port}/postgres"
            yield cluster.dsn("postgres"), owner
        finally:
            stop_all([server], patience_seconds=15)
            cluster.remove()


def _run_auth_once(
    cluster: Cluster, credentials: Credentials, config: SupabaseConfig, port: int, home: Path
) -> None:
    """Let Auth and Storage make their schemas."""
    instance = lite.Lite(
        directory=home / "lite-template",
        port=port,
        database_url=(
            f"postgresql://{lite.USER}:{credentials.auth_password}"
            f"@127.0.0.1:{cluster.port}/{PLATFORM_TEMPLATE}"
        ),
        site_url="http://127.0.0.1",
        smtp_port=port,  # it mails nothing
    )
    instance.directory.mkdir(parents=True, exist_ok=True)
    command = instance.command(credentials, config, process_environment_in(home, {}))
    child = Child(command, instance.directory / "log")
    deadline = time.monotonic() + 30
    try:
        while not health.answers(port, "/auth/v1/health"):
            if child.exit_code() is not None or time.monotonic() > deadline:
                raise PartNotReady(command.name, time.monotonic() - child.started, child.log_tail())
            time.sleep(0.02)
    finally:
        # It holds connections to the template, which would stand in the way of every copy.
        child.kill()
        child.wait(5)


def _script(name: str) -> sql.SQL:
    # The text is a file of this package, not a caller's.
    return sql.SQL(files(__package__).joinpath(name).read_text())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


__all__ = [
    "PLATFORM_TEMPLATE",
    "SUPERUSER",
    "create_platform_database",
    "make_template",
    "mend_after_auth",
    "throwaway_server",
]
