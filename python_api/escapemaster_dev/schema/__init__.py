"""The database as source: `sql/` is the truth, `supabase/migrations` follows from it.

`render_migration` writes the next migration, `check` says where the migrations and `sql/` differ,
`write_types` writes the generated client types. `snapshot` is the listing that "the same
database" is measured with.
"""

from __future__ import annotations

from escapemaster_dev.schema.migration import check, render_migration
from escapemaster_dev.schema.register import write_register
from escapemaster_dev.schema.snapshot import snapshot
from escapemaster_dev.schema.types import write_types

__all__ = ["check", "render_migration", "snapshot", "write_register", "write_types"]
