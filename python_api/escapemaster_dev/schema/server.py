"""Scratch databases: made from the platform's template, used once, dropped."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

_counter = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server with Supabase's roles.

    Attributes:
        admin_dsn: URL of the superuser, on any database.
        owner_dsn: URL of `postgres`, the role that applies migrations and owns our objects.
    """

    admin_dsn: str
    owner_dsn: str

    def dsn(self, database: str) -> str:
        """The owner's URL of another database on this server."""
        return urlunsplit(urlsplit(self.owner_dsn)._replace(path=f"/{database}"))

    @contextmanager
    def scratch(self, label: str) -> Iterator[str]:
        """A new database that holds the platform (roles, auth, storage, extensions) only.

        Yields the owner's URL; the database is gone when the block ends.
        """
        from escapemaster_dev.stack.platform import create_platform_database

        name = f"scratch_{label}_{os.getpid()}_{next(_counter)}"
        create_platform_database(self.admin_dsn, name)
        try:
            yield self.dsn(name)
        finally:
            with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
                )


@contextmanager
def scratch_server(given: Server | None = None) -> Iterator[Server]:
    """The server to work on: the given one, or one that lives as long as the block."""
    if given is not None:
        yield given
        return
    from escapemaster_dev.stack.platform import throwaway_server

    with throwaway_server() as (admin_dsn, owner_dsn):
        yield Server(admin_dsn, owner_dsn)
