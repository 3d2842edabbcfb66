"""Where the parts of the checkout are, and the errors of this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXPOSED_SCHEMAS = ("public", "service")
OUR_SCHEMAS = ("public", "service", "private", "reports")


class SchemaError(Exception):
    """The sources, the migrations or a tool cannot be used as they are; the text says where."""


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout."""

    root: Path

    @property
    def sql(self) -> Path:
        """The source of truth."""
        return self.root / "sql"

    @property
    def supabase(self) -> Path:
        """What the Supabase CLI reads."""
        return self.root / "supabase"

    @property
    def migrations(self) -> Path:
        """The deploy history."""
        return self.supabase / "migrations"

    @property
    def register_page(self) -> Path:
        """The page that holds the register of definer functions."""
        return self.root / "docs" / "security.md"

    @property
    def typescript_types(self) -> Path:
        """Generated."""
        return self.root / "edge" / "_shared" / "database.types.ts"

    @property
    def python_types(self) -> Path:
        """Generated."""
        return self.root / "python_api" / "escapemaster" / "database_types.py"

    def source_files(self) -> list[Path]:
        """The files of `sql/` in the order in which they are applied."""
        return sorted(self.sql.rglob("*.sql"), key=lambda path: path.relative_to(self.sql).parts)

    def migration_files(self) -> list[Path]:
        """The migrations, oldest first."""
        return sorted(self.migrations.glob("*.sql"))


PROJECT = Project(Path(__file__).resolve().parents[3])
