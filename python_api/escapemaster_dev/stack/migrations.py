"""Brings a database to the newest migration, with the Supabase CLI."""

from __future__ import annotations

from pathlib import Path

import psycopg


def pending(database_url: str, root: Path) -> list[str]:
    """Versions of `supabase/migrations` that the database has not had, oldest first."""
    versions = [path.name.split("_", 1)[0] for path in _files(root)]
    with psycopg.connect(database_url) as connection:
        table = connection.execute(
            "select to_regclass('supabase_migrations.schema_migrations')"
        ).fetchone()
        if table is None or table[0] is None:
            return versions
        rows = connection.execute("select version from supabase_migrations.schema_migrations")
        applied = {row[0] for row in rows}
    return [version for version in versions if version not in applied]


def push(database_url: str, root: Path) -> None:
    """Apply what is pending: `supabase db push`.

    Raises:
        SchemaError: the CLI failed; the text is its own.
    """
    from escapemaster_dev.schema.supabase_cli import run_supabase

    run_supabase("db", "push", f"--remote={database_url}", "--yes", workdir=root)


def set_up_for_development(database_url: str) -> None:
    """Let a webhook lead to this machine, which a hosted project does not allow."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select to_regclass('private.webhook_settings')").fetchone()
        if found is not None and found[0] is not None:
            connection.execute("update private.webhook_settings set allows_loopback = true")


def _files(root: Path) -> list[Path]:
    return sorted((root / "supabase" / "migrations").glob("[0-9]*_*.sql"))
