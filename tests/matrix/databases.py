"""Databases that are made once a run, and their copies."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from escapemaster_dev.schema.project import PROJECT
from escapemaster_dev.schema.server import Server
from escapemaster_dev.schema.sources import apply_files
from escapemaster_dev.stack.platform import create_platform_database

SOURCES = "sources"
SCHEMA = "matrix_schema"

#: Worlds are bigger than what costs nothing, as an installation without subscriptions is. Tests of
#: the limits put their own venues on the plans that limit (tests/db/plans_world.py).
WITHOUT_PLAN_LIMITS = (
    "update private.billing_settings set default_plan = 'pro', platform_account = true"
)


@dataclass(frozen=True, slots=True)
class Databases:
    """Templates and copies on one server.

    Attributes:
        home: Where workers of one run meet; holds a lock a template.
    """

    server: Server
    home: Path

    def admin_dsn(self, name: str) -> str:
        """The superuser's URL of a database."""
        return urlunsplit(urlsplit(self.server.admin_dsn)._replace(path=f"/{name}"))

    def sources(self) -> str:
        """The template that is made by `sql/`, and nothing else."""

        def fill(name: str) -> None:
            apply_files(self.server.dsn(name), PROJECT.source_files())

        return self.template(SOURCES, None, fill)

    def schema(self) -> str:
        """The template that is made by `sql/` and holds no rows beside its reference data."""

        def fill(name: str) -> None:
            with psycopg.connect(self.server.dsn(name)) as connection:
                connection.execute(WITHOUT_PLAN_LIMITS)

        return self.template(SCHEMA, self.sources(), fill)

    def template(self, name: str, parent: str | None, fill: Callable[[str], None]) -> str:
        """A template, made by the first of all workers that asks for it.

        Args:
            name: Of the template.
            parent: The template that it starts from; None: the platform.
            fill: Gets the name of the new database and fills it.

        Returns:
            The name.
        """
        with (self.home / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_template(name):
                return name
            if parent is None:
                create_platform_database(self.server.admin_dsn, name)
            else:
                self._copy(parent, name)
            fill(name)
            with self._connect() as connection:
                connection.execute(
                    sql.SQL("alter database {} is_template true allow_connections false").format(
                        sql.Identifier(name)
                    )
                )
        return name

    def shared(self, name: str, parent: str, fill: Callable[[str], None]) -> str:
        """A database that all workers of the run read and none changes, made by the first.

        Args:
            name: Of the database.
            parent: The template that it starts from.
            fill: Gets the name of the new database and fills it.

        Returns:
            The superuser's URL.
        """
        ready = self.home / f"{name}.ready"
        with (self.home / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                self._copy(parent, name)
                fill(name)
                ready.touch()
        return self.admin_dsn(name)

    @contextmanager
    def copy_of(self, template: str) -> Iterator[str]:
        """The superuser's URL of a copy, which is gone when the block ends."""
        name = f"{template}_{uuid4().hex[:12]}"
        self._copy(template, name)
        try:
            yield self.admin_dsn(name)
        finally:
            with self._connect() as connection:
                connection.execute(
                    sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
                )

    def _copy(self, template: str, name: str) -> None:
        with self._connect() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )
            connection.execute(
                # Page by page through the log it takes three times as long, and fills the buffers.
                sql.SQL("create database {} template {} owner postgres strategy file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )

    def _is_template(self, name: str) -> bool:
        with self._connect() as connection:
            found = connection.execute(
                "select from pg_catalog.pg_database where datname = %s and datistemplate", [name]
            )
            return found.rowcount == 1

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.server.admin_dsn, autocommit=True)
