"""One organization of a backup, into the place that it came from; all others stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final, cast
from uuid import UUID

from psycopg import sql

from escapemaster_dev.backup import archive, rows
from escapemaster_dev.backup.errors import BackupError
from escapemaster_dev.backup.manifest import TableRows
from escapemaster_dev.backup.progress import Reporter
from escapemaster_dev.backup.verified import Verified

_ORGANIZATIONS: Final = "public.organizations"
#: Which rows of a table are an organization's, where it has no organization_id.
_OWN: Final = {
    _ORGANIZATIONS: sql.SQL("id = {}"),
    "private.idempotency_keys": sql.SQL("starts_with(scope, {}::text || ':')"),
}
_BY_COLUMN: Final = sql.SQL("organization_id = {}")
#: What the platform did to it, which stays as it was.
_NOT_ITS_OWN: Final = frozenset({"private.platform_log"})
#: What becomes of a row whose parent is gone, by pg_constraint.confdeltype.
_GOES, _FORGETS = "c", "n"


@dataclass(frozen=True, slots=True)
class PutBack:
    """What came back.

    Attributes:
        id: Of the organization; its uploaded files are in the folders of this name.
        rows: How many are there again.
        left_out: Rows that belonged to accounts which are gone since, by table.
        mails_set_aside: Mails that waited in the backup.
    """

    id: UUID
    rows: int
    left_out: dict[str, int]
    mails_set_aside: int


@dataclass(frozen=True, slots=True)
class _Reference:
    """A foreign key of which one side is an organization's."""

    name: str
    child: sql.Identifier
    child_name: str
    child_is_tenant: bool
    parent: sql.Identifier
    parent_columns: tuple[str, ...]
    columns: tuple[str, ...]
    on_delete: str
    forgotten: tuple[str, ...]


def put_organization(
    connection: rows.Connection, backup: Verified, name: str, reporter: Reporter, *, replace: bool
) -> PutBack:
    """Put an organization's rows in the place of those that it has, in the caller's transaction.

    Args:
        connection: As the owner; nobody else may write meanwhile.
        backup: It was made there.
        name: Its slug in the backup, or its id.
        reporter: Shows how far it is.
        replace: Whether rows that it has may go.

    Raises:
        BackupError: It is not in the backup, it is there already, or something that is not its own
            is missing. The transaction must not be committed.
    """
    tables = _tenant_tables(connection, backup)
    staged = _staged(connection, backup, tables, reporter)
    organization = _found(connection, staged[_ORGANIZATIONS], name)
    rows.without_triggers(connection)
    written = 0
    with reporter.step("rows of the organization", "tables", len(tables)) as step:
        for table in tables:
            written += _replace(connection, table, staged[str(table)], organization, replace)
            step.advance()
    left_out = _follow_deletions(connection, organization)
    for value in backup.manifest.sequences:
        rows.raise_sequence(connection, value)
    aside = rows.set_mails_aside(connection, organization)
    # Who follows its changes reads everything anew.
    connection.execute(
        "insert into private.platform_log (action, organization_id, reason, occurred_at)"
        " values ('restore', %s, %s, clock_timestamp())",
        [organization, f"as of {backup.manifest.made_at:%Y-%m-%d %H:%M} UTC"],
    )
    connection.execute("set local session_replication_role = origin")
    return PutBack(organization, written - sum(left_out.values()), left_out, aside)


def _tenant_tables(connection: rows.Connection, backup: Verified) -> list[TableRows]:
    found = connection.execute(
        "select attrelid::regclass::text from pg_catalog.pg_attribute"
        " where attname = 'organization_id' and not attisdropped"
    ).fetchall()
    # With no search path a name is always qualified.
    named = ({name for (name,) in found} | _OWN.keys()) - _NOT_ITS_OWN
    return [table for table in backup.manifest.tables if str(table) in named]


def _staged(
    connection: rows.Connection, backup: Verified, tables: list[TableRows], reporter: Reporter
) -> dict[str, sql.Identifier]:
    """The backup's rows of these tables, of all organizations, in temporary ones."""
    wanted = {f"rows/{table}": table for table in tables}
    staged = {}
    for number, table in enumerate(tables):
        target = rows.Table(table.schema_name, table.name, table.columns)
        staged[str(table)] = sql.Identifier("pg_temp", f"backup_{number}")
        connection.execute(
            # Without its constraints: one of them may be about a generated column.
            sql.SQL(
                "create temporary table {} on commit drop as select {} from {} with no data"
            ).format(sql.Identifier(f"backup_{number}"), target.column_list, target.identifier)
        )
    with reporter.step("reading", "rows", sum(table.rows for table in tables)) as step:
        entries = archive.reading(backup.path, backup.identity)
        for name, pieces in groupby(entries, lambda entry: entry[0].rpartition("/")[0]):
            if name in wanted:
                table = wanted[name]
                rows.copy_in(
                    connection,
                    staged[str(table)],
                    table.columns,
                    (content for _, content in pieces),
                )
                step.advance(table.rows)
    return staged


def _found(connection: rows.Connection, organizations: sql.Identifier, name: str) -> UUID:
    row = connection.execute(
        sql.SQL("select id from {} where slug = %s or id::text = %s").format(organizations),
        [name, name],
    ).fetchone()
    if row is None:
        raise BackupError(
            f"no organization of the backup is called {name}: give its slug or its id"
        )
    return cast("UUID", row[0])


def _replace(
    connection: rows.Connection,
    table: TableRows,
    staged: sql.Identifier,
    organization: UUID,
    replace: bool,
) -> int:
    own = _OWN.get(str(table), _BY_COLUMN).format(sql.Literal(organization))
    target = rows.Table(table.schema_name, table.name, table.columns)
    gone = connection.execute(
        sql.SQL("delete from {} where {}").format(target.identifier, own)
    ).rowcount
    if gone and not replace:
        raise BackupError(
            f"the organization has {gone} rows in {table}, which would be replaced: say --replace"
            " if that is meant. Nothing was changed"
        )
    return connection.execute(
        sql.SQL(
            "insert into {0} ({1}) overriding system value select {1} from {2} where {3}"
        ).format(target.identifier, target.column_list, staged, own)
    ).rowcount


def _references(connection: rows.Connection) -> list[_Reference]:
    found = connection.execute(
        """
        with tenant as (
          select attrelid as relation from pg_catalog.pg_attribute
          where attname = 'organization_id' and not attisdropped
        )
        select
          c.conname, cn.nspname, cc.relname, c.conrelid in (select relation from tenant),
          pn.nspname, pc.relname,
          array(
            select a.attname::text from unnest(c.confkey) with ordinality as k (n, place)
            join pg_catalog.pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.n
            order by k.place
          ),
          array(
            select a.attname::text from unnest(c.conkey) with ordinality as k (n, place)
            join pg_catalog.pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.n
            order by k.place
          ),
          c.confdeltype::text,
          array(
            select a.attname::text from unnest(coalesce(c.confdelsetcols, c.conkey)) as k (n)
            join pg_catalog.pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.n
          )
        from pg_catalog.pg_constraint as c
        join pg_catalog.pg_class as cc on cc.oid = c.conrelid
        join pg_catalog.pg_namespace as cn on cn.oid = cc.relnamespace
        join pg_catalog.pg_class as pc on pc.oid = c.confrelid
        join pg_catalog.pg_namespace as pn on pn.oid = pc.relnamespace
        where c.contype = 'f'
          and (
            c.conrelid in (select relation from tenant)
            or c.confrelid in (select relation from tenant)
            or c.confrelid = 'public.organizations'::regclass
          )
        order by 2, 3, 1
        """
    ).fetchall()
    return [
        _Reference(
            name=name,
            child=sql.Identifier(child_schema, child),
            child_name=f"{child_schema}.{child}",
            child_is_tenant=is_tenant,
            parent=sql.Identifier(parent_schema, parent),
            parent_columns=tuple(parent_columns),
            columns=tuple(columns),
            on_delete=on_delete,
            forgotten=tuple(forgotten),
        )
        for (
            name,
            child_schema,
            child,
            is_tenant,
            parent_schema,
            parent,
            parent_columns,
            columns,
            on_delete,
            forgotten,
        ) in found
    ]


def _follow_deletions(connection: rows.Connection, organization: UUID) -> dict[str, int]:
    """Do to rows whose parent is gone what its deletion would have done.

    Accounts may have been deleted since the backup, and stay so.

    Returns:
        How many rows went, by table.
    """
    references = _references(connection)
    left_out: dict[str, int] = {}
    changed = True
    # What goes takes along what refers to it, in turn.
    while changed:
        changed = False
        for reference in references:
            if not (count := _orphans(connection, reference, organization)):
                continue
            if reference.on_delete not in {_GOES, _FORGETS}:
                raise BackupError(
                    f"{count} rows of {reference.child_name} refer to what is not there"
                    f" ({reference.name}). Nothing was changed"
                )
            changed = True
            if reference.on_delete == _GOES and reference.child_is_tenant:
                left_out[reference.child_name] = left_out.get(reference.child_name, 0) + count
    return left_out


def _orphans(connection: rows.Connection, reference: _Reference, organization: UUID) -> int:
    """How many rows lacked their parent, and went or forgot it where they may."""
    child = {name: sql.Identifier("child", name) for name in reference.columns}
    missing = sql.SQL(
        "{present} and {own} and not exists (select from {parent} as parent where {same})"
    ).format(
        present=sql.SQL(" and ").join(
            sql.SQL("{} is not null").format(column) for column in child.values()
        ),
        own=sql.SQL("child.organization_id = {}").format(sql.Literal(organization))
        if reference.child_is_tenant
        else sql.SQL("true"),
        parent=reference.parent,
        same=sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier("parent", theirs), child[ours])
            for theirs, ours in zip(reference.parent_columns, reference.columns, strict=True)
        ),
    )
    if reference.on_delete == _GOES:
        statement = sql.SQL("delete from {} as child where {}").format(reference.child, missing)
    elif reference.on_delete == _FORGETS:
        statement = sql.SQL("update {} as child set {} where {}").format(
            reference.child,
            sql.SQL(", ").join(
                sql.SQL("{} = null").format(sql.Identifier(name)) for name in reference.forgotten
            ),
            missing,
        )
    else:
        statement = sql.SQL("select from {} as child where {}").format(reference.child, missing)
    return connection.execute(statement).rowcount
