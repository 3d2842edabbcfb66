"""docs/views.md: the views that own questions may read, and what may be asked of them.

Written from a live database: columns from the catalogue, meanings from the comments.
`escapemaster pages` writes it.
"""

from __future__ import annotations

from pathlib import Path

from escapemaster_dev.schema.project import Project
from escapemaster_dev.schema.reference import Connection

_INTRODUCTION = (
    "Written by `escapemaster pages` from the database itself; a test fails when it lags behind."
    " What `POST /v1/organizations/{organization_id}/reports/run` may read, with the permission"
    " `reports:query`; how is said in [reports.md](reports.md#own-questions). What somebody may not"
    " read in the tables is not there: rows of a view, or null where another table would say it."
)
_UNITS = (
    "`…_cents` is minor units, tax included; `timestamp with time zone` an instant in UTC, and"
    " `timestamp without time zone` what the location's clock showed."
)


def path_of(project: Project) -> Path:
    """Where the page is kept."""
    return project.root / "docs" / "views.md"


def render(connection: Connection) -> str:
    """The page."""
    rows = connection.execute(
        """
        select c.relname, obj_description(c.oid, 'pg_class'), a.attname,
          format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
        from pg_catalog.pg_class as c
        join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'reports'::regnamespace and c.relkind = 'v'
        order by c.relname, a.attnum
        """
    ).fetchall()
    (words,) = connection.execute("select private.report_words()").fetchall()
    lines = ["# Views for own questions", "", _INTRODUCTION, "", _UNITS, ""]
    shown = None
    for view, about, column, kind, comment in rows:
        if view != shown:
            lines += [*([""] if shown else []), f"## {view}", "", about, ""]
            lines += ["| column | type | means |", "|---|---|---|"]
            shown = view
        lines.append(f"| `{column}` | {kind} | {comment} |")
    lines += ["", "## Words", ""]
    lines += ["A question is made of these, and of names, texts and numbers:", ""]
    lines.append(" ".join(f"`{word.lower()}`" for word in sorted(words[0])) + ".")
    return "\n".join(lines) + "\n"
