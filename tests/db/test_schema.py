"""The migrations, the generated types and the advisors agree with `sql/`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from escapemaster import database_types
from escapemaster_dev.schema import migration, register, types
from escapemaster_dev.schema.project import PROJECT, SchemaError
from escapemaster_dev.schema.server import Server
from escapemaster_dev.schema.supabase_cli import run_supabase
from matrix.databases import Databases


@pytest.fixture(scope="module")
def pushed(server: Server, databases: Databases, migrated: str) -> Iterator[str]:
    """A database made by the migrations, in the way that deployments take."""
    with databases.copy_of(migrated) as admin_dsn:
        yield server.dsn(urlsplit(admin_dsn).path.removeprefix("/"))


def test_the_migrations_give_the_database_that_sql_describes(pushed: str, sources_dsn: str) -> None:
    assert migration.compare(pushed, sources_dsn) == "", "run `make migration name=…`"


def test_every_migration_is_recorded(pushed: str) -> None:
    with psycopg.connect(pushed) as connection:
        rows = connection.execute(
            "select version from supabase_migrations.schema_migrations order by version"
        ).fetchall()
    assert [version for (version,) in rows] == [
        path.name.split("_")[0] for path in PROJECT.migration_files()
    ]


def test_a_difference_is_shown_line_by_line(pushed: str, sources_dsn: str) -> None:
    with psycopg.connect(pushed, autocommit=True) as connection:
        connection.execute("grant select on public.organizations to anon")
        difference = migration.compare(pushed, sources_dsn).splitlines()
        connection.execute("revoke select on public.organizations from anon")
    assert "-table public.organizations: grant select to anon" in difference
    assert "pg-delta: remove acl:(table:public.organizations).anon" in difference


def test_the_client_types_are_fresh(sources_dsn: str) -> None:
    stale = [
        str(path.relative_to(PROJECT.root))
        for path, content in types.types_of(sources_dsn).items()
        if not path.exists() or path.read_text() != content
    ]
    assert stale == [], "run `make types`"


def test_the_python_types_describe_the_rows_that_clients_get(sources_dsn: str) -> None:
    with psycopg.connect(sources_dsn) as connection:
        rows = connection.execute("select to_jsonb(p) from public.permissions as p").fetchall()
    permissions = [database_types.PublicPermissions.model_validate(row) for (row,) in rows]
    assert "rooms:read" in [permission.key for permission in permissions]


def test_the_register_of_definer_functions_is_fresh(sources_dsn: str) -> None:
    with psycopg.connect(sources_dsn) as connection:
        expected = register.render_register(connection)
    assert register.read_register() == expected, "run `make types`"


def test_supabase_has_no_advice(sources_dsn: str) -> None:
    advice = json.loads(
        run_supabase(
            "db", "advisors", f"--remote={sources_dsn}", "--type", "all", "--level", "info",
            "--fail-on", "warn", "--output", "json",
        )
    )  # fmt: skip
    # A database that nobody has queried yet has used no index.
    assert [each["detail"] for each in advice if each["name"] != "unused_index"] == []


def test_the_advisors_can_fail(server: Server) -> None:
    with server.scratch("advised") as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute("create table public.open (id int primary key)")
        with pytest.raises(SchemaError, match="rls_disabled_in_public"):
            run_supabase(
                "db", "advisors", f"--remote={dsn}", "--level", "info", "--fail-on", "warn",
                "--output", "json",
            )  # fmt: skip
