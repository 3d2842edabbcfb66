"""The migrations, the generated types and the advisors agree with `sql/`."""

from __future__ import annotations

import json

import psycopg
import pytest

from escapemaster.schema import migration, register, types
from escapemaster.schema.project import PROJECT, SchemaError
from escapemaster.schema.server import Server
from escapemaster.schema.sources import apply_files
from escapemaster.schema.supabase_cli import run_supabase


def test_the_deploy_path_gives_the_database_that_sql_describes(
    server: Server, sources_dsn: str
) -> None:
    with server.scratch("pushed") as pushed:
        run_supabase("db", "push", f"--remote={pushed}", "--yes")
        assert migration.compare(pushed, sources_dsn) == ""
        assert _pushed_versions(pushed) == [
            path.name.split("_")[0] for path in PROJECT.migration_files()
        ]


def _pushed_versions(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select version from supabase_migrations.schema_migrations order by version"
        )
        return [str(version) for (version,) in rows]


def test_check_says_where_migrations_and_sql_differ(server: Server, sources_dsn: str) -> None:
    with server.scratch("other") as other:
        apply_files(other, PROJECT.source_files())
        assert migration.compare(other, sources_dsn) == ""
        with psycopg.connect(other) as connection:
            connection.execute("grant select on public.organizations to anon")
        assert (
            "-table public.organizations: grant select to anon"
            in migration.compare(other, sources_dsn).splitlines()
        )


def test_the_client_types_are_fresh(server: Server) -> None:
    stale = [
        str(path.relative_to(PROJECT.root))
        for path, content in types.generate_types(server=server).items()
        if not path.exists() or path.read_text() != content
    ]
    assert stale == [], "run `make types`"


def test_the_register_of_definer_functions_is_fresh(sources_dsn: str) -> None:
    with psycopg.connect(sources_dsn) as connection:
        expected = register.render_register(connection)
    assert register.read_register() == expected, "run `python -m escapemaster.schema register`"


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
