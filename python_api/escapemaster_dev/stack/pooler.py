"""PgBouncer before PostgREST, in transaction mode: to see that nothing relies on a session.

Only where ESCAPEMASTER_POOLER names the program (Debian: package pgbouncer). A transaction gets any
connection there is, as behind Supavisor; what a session would remember (prepared statements,
LISTEN, settings, advisory locks) is gone with its transaction.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.postgres import make_private_directory, server_user
from escapemaster_dev.stack.processes import Command

NAME: Final = "pooler"
_PROGRAM: Final = "ESCAPEMASTER_POOLER"

#: What PostgREST must do without behind a pooler in transaction mode.
POSTGREST_SETTINGS: Final = {
    "PGRST_DB_PREPARED_STATEMENTS": "false",
    "PGRST_DB_CHANNEL_ENABLED": "false",
}


def pooler_program() -> str | None:
    """The program, where one is asked for."""
    return os.environ.get(_PROGRAM) or None


def pooler_command(
    config: StackConfig,
    program: str,
    *,
    user: str,
    password: str,
    pool: int,
    environment: Mapping[str, str],
) -> Command:
    """Write the configuration; return what starts it.

    Args:
        config: The stack.
        program: PgBouncer.
        user: The one role that it lets in, and logs in as.
        password: Of that role.
        pool: Connections to the database.
        environment: Of the process.
    """
    account = server_user()
    directory = config.home / "pooler"
    # It will not run as root, either; the password in its files is for its account alone.
    make_private_directory(directory, account)
    users = _write(directory / "users.txt", f'"{user}" "{password}"\n')
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(config.ports.pooler),
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": str(users),
        "pool_mode": "transaction",
        "default_pool_size": str(pool),
        "max_client_conn": "400",
        "ignore_startup_parameters": "extra_float_digits",
    }
    ini = _write(
        directory / "pgbouncer.ini",
        f"[databases]\npostgres = host=127.0.0.1 port={config.ports.postgres}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in settings.items()),
    )
    if account is not None:
        for path in (users, ini):
            os.chown(path, account.uid, account.gid)
    return Command(
        name=NAME,
        arguments=[program, ini],
        environment=environment,
        cwd=directory,
        user=account,
        # At once, without waiting for clients.
        stop_signal=signal.SIGTERM,
    )


def _write(path: Path, content: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(content)
    return path
