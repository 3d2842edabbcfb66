"""Migrations follow from `sql/`.

A new migration is written in four steps, each carried out at once on a scratch database that has
the migrations so far:

1. Statements of `sql/` that no migration holds and that can run are copied as they stand, with
   their comments: new tables, functions, grants, comments, reference rows, all in reading order.
   A statement that meets an object which exists already is left to the next step.
2. pg-delta compares the result with a database made from `sql/` and writes what is left: the
   changes and removals.
3. What needed the changed structure is written by copying its statements: reference rows, and what
   a type's new fields mean, of which pg-delta says nothing. Rows that left `sql/` are deleted.
4. The scratch database must now be the same as the one made from `sql/`. If not, nothing is
   written.

So pg-delta never has to know everything: what it cannot express is copied, and what it gets wrong
is found here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from escapemaster_dev.schema.delta import Change, delta
from escapemaster_dev.schema.project import PROJECT, Project, SchemaError
from escapemaster_dev.schema.reference import corrections
from escapemaster_dev.schema.server import Server, scratch_server
from escapemaster_dev.schema.snapshot import difference, snapshot
from escapemaster_dev.schema.sources import Statement, apply_files, statements

Progress = Callable[[str], None]

_ROUNDS = 3
_TIMESTAMP = "%Y%m%d%H%M%S"
DESTRUCTIVE = "-- DESTROYS DATA: read it twice."
_HEADER = """\
-- {title}
--
-- Generated from sql/ by `make migration name={name}`. Do not edit: change sql/ and render again.
-- Digest of what follows: {digest}
"""
#: A migration that waits for a lock has everybody else wait behind it: it gives up instead.
_TIMEOUT = "\nset lock_timeout = '5s';\n"
_COMMENT_ON_COLUMN = re.compile(r"comment on column (.+?)\.[^.\s]+ is ")
_DIGEST = re.compile(r"\A(?:--[^\n]*\n)*?-- Digest of what follows: ([0-9a-f]{64})\n")


def silent(message: str) -> None:
    """Progress that nobody reads."""


def check(
    *, project: Project = PROJECT, server: Server | None = None, progress: Progress = silent
) -> str:
    """Say where a database made by the migrations differs from one made by `sql/`.

    Returns:
        A unified diff (`-` stands in the migrations, `+` in `sql/`) and pg-delta's list of
        differences; empty when both agree that there is none.

    Raises:
        SchemaError: a file of `sql/` or a migration cannot be applied.
    """
    with _both(project, server, progress) as (current, desired):
        progress("comparing")
        return compare(current, desired)


@contextmanager
def _both(project: Project, server: Server | None, progress: Progress) -> Iterator[tuple[str, str]]:
    """Two databases: one made by the migrations, one by `sql/`."""
    with (
        scratch_server(server) as on,
        on.scratch("migrations") as current,
        on.scratch("sql") as desired,
    ):
        progress("applying the migrations")
        apply_files(current, project.migration_files())
        progress("applying sql/")
        apply_files(desired, project.source_files())
        yield current, desired


def compare(current: str, desired: str) -> str:
    """Say where two databases differ, by our listing and by pg-delta; empty when they do not."""
    ours = difference(snapshot(current), snapshot(desired), ("supabase/migrations", "sql"))
    theirs = "\n".join(f"pg-delta: {fact}" for fact in delta(current, desired).facts)
    return "\n".join(filter(None, (ours, theirs)))


def render_migration(
    name: str,
    *,
    project: Project = PROJECT,
    server: Server | None = None,
    progress: Progress = silent,
) -> Path | None:
    """Write the next migration.

    Args:
        name: What it does, in snake_case; it becomes part of the file's name.
        project: The checkout.
        server: Where scratch databases may be made; the default starts one if need be.
        progress: Is told each step.

    Returns:
        The new file, or None when the migrations already give what `sql/` gives.

    Raises:
        SchemaError: a file cannot be applied, or no statements were found that lead from the
            migrations to `sql/`; nothing is written.
    """
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
        raise SchemaError(f"{name!r} is no name for a migration: use snake_case, such as add_rooms")
    with _both(project, server, progress) as (current, desired):
        progress("looking for the difference")
        if snapshot(current) == snapshot(desired) and not delta(current, desired).facts:
            return None
        body = _write_body(project, current, desired, progress)
        progress("proving that the migration leads to sql/")
        if left := compare(current, desired):
            raise SchemaError(
                "the migration would not lead to what sql/ describes; what is left, which\n"
                "sql/ has to say by a repeatable statement of its own (a new field of a type that\n"
                f"there is goes last, since a migration can only append it):\n{left}"
            )
    if "baseline" not in name:
        body = _TIMEOUT + body
    project.migrations.mkdir(parents=True, exist_ok=True)
    path = project.migrations / f"{_next_timestamp(project)}_{name}.sql"
    path.write_text(with_header(name, body))
    return path


def with_header(name: str, body: str) -> str:
    """The migration's text: the header that names it and carries the body's digest, the body."""
    header = _HEADER.format(
        title=name.replace("_", " ").capitalize() + ".",
        name=name,
        digest=hashlib.sha256(body.encode()).hexdigest(),
    )
    return header + body


def is_untouched(content: str) -> bool:
    """Whether a migration's text is as it was generated."""
    match = _DIGEST.match(content)
    if match is None:
        return False
    return hashlib.sha256(content[match.end() :].encode()).hexdigest() == match[1]


def _write_body(project: Project, current: str, desired: str, progress: Progress) -> str:
    held = {each.canonical() for each in statements(project.migration_files())}
    new = [each for each in statements(project.source_files()) if each.canonical() not in held]
    sections: list[str] = []
    with psycopg.connect(current, autocommit=True) as on:
        progress(f"copying from {len(new)} new statements of sql/")
        copied = [each for each in new if _runs(on, each.text)]
        sections.extend(_by_file(project, copied))

        progress("asking pg-delta for the rest")
        if changes := _changes(on, current, desired):
            sections.append(_changes_section(changes))

        late = [
            each
            for each in new
            if each not in copied and (each.is_data or _is_about_a_field(on, each))
        ]
        sections.extend(_by_file(project, [each for each in late if _runs(on, each.text)]))

        with psycopg.connect(desired) as wanted:
            rows = list(corrections(on, wanted))
        for statement in rows:
            on.execute(statement.encode())
        if rows:
            sections.append("-- Reference rows that changed.\n\n" + "\n\n".join(rows))
    return "\n" + "\n\n".join(sections) + "\n"


def _changes(
    on: psycopg.Connection[tuple[object, ...]], current: str, desired: str
) -> list[Change]:
    """Carry out pg-delta's plan.

    More than once, because taking a privilege on a table away takes those on its columns with it:
    the next plan gives them back.
    """
    carried_out: list[Change] = []
    for _ in range(_ROUNDS):
        changes = delta(current, desired).changes
        for change in changes:
            try:
                on.execute(change.sql.encode())
            except psycopg.Error as error:
                raise SchemaError(
                    f"pg-delta's statement is refused: {error}\n\n{change.sql}\n\n"
                    "Let sql/ say it by a statement that can be repeated (create or replace)."
                ) from error
        carried_out += changes
        if not changes:
            break
    return carried_out


def _runs(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> bool:
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except psycopg.Error:
        return False
    return True


def _is_about_a_field(connection: psycopg.Connection[tuple[object, ...]], each: Statement) -> bool:
    """Whether a statement says what a field of a composite type means."""
    named = _COMMENT_ON_COLUMN.match(each.text)
    if named is None:
        return False
    found = connection.execute(
        "select relkind = 'c' from pg_catalog.pg_class where oid = to_regclass(%s)", [named[1]]
    ).fetchone()
    return found == (True,)


def _by_file(project: Project, chosen: list[Statement]) -> list[str]:
    """One section a file of `sql/`; neighbours keep the blank lines and comments between them."""
    sections: dict[Path, str] = {}
    for statement in chosen:
        text = sections.get(statement.path)
        if text is None:
            rule = "-- " + "=" * 77
            text = f"{rule}\n-- {statement.path.relative_to(project.root)}\n{rule}\n\n"
            lead = statement.lead.lstrip("\n")
        else:
            lead = statement.lead if statement.lead.startswith("\n") else "\n" + statement.lead
        sections[statement.path] = text + lead + statement.text
    return list(sections.values())


def _changes_section(changes: list[Change]) -> str:
    text = "-- Changes of what exists."
    for change in changes:
        warning = DESTRUCTIVE + "\n" if change.destructive else ""
        text += f"\n\n{warning}{change.sql}"
    return text


def _next_timestamp(project: Project) -> str:
    """Now in UTC, or a second after the newest migration when that lies ahead."""
    moment = datetime.now(UTC)
    if files := project.migration_files():
        newest = datetime.strptime(files[-1].name.split("_")[0], _TIMESTAMP).replace(tzinfo=UTC)
        moment = max(moment, newest + timedelta(seconds=1))
    return moment.strftime(_TIMESTAMP)
