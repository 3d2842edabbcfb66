"""The database's side: all rows as they were at one moment, and back in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from escapemaster_dev.backup.archive import PIECE
from escapemaster_dev.backup.errors import BackupError
from escapemaster_dev.backup.manifest import SequenceValue, TableRows
from escapemaster_dev.schema.project import OUR_SCHEMAS

Connection = psycopg.Connection[TupleRow]

#: Of Auth: the accounts with their passwords and second factors. Sessions are not among them: who
#: had one signs in again.
_OF_AUTH: Final = ("users", "identities", "mfa_factors")
#: What a place says of itself, not of its data; the new place says it for itself.
_OF_THE_PLACE: Final = frozenset({"private.token_issuers", "private.webhook_settings"})
_MODULUS: Final = 1 << 256
#: So that a value is written alike everywhere, and no limit ends what takes long.
_SESSION: Final = """
set local search_path = '';
set local client_encoding = 'UTF8';
set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres';
set local timezone = 'UTC';
set local extra_float_digits = 1;
set local bytea_output = 'hex';
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local lock_timeout = '10s';
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what COPY takes of it."""

    schema: str
    name: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """The qualified name, quoted."""
        return sql.Identifier(self.schema, self.name)

    @property
    def column_list(self) -> sql.Composed:
        """Its columns, quoted."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


class Checksum:
    """Counts rows and adds up their hashes."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def row(self, line: bytes) -> None:
        """Take a row with the end of its line."""
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(line).digest(), "big")) % _MODULUS

    def piece(self, content: bytes) -> None:
        """Take many."""
        for line in content.split(b"\n")[:-1]:
            self.row(line + b"\n")

    def hexdigest(self) -> str:
        """The sum, 64 digits."""
        return f"{self._sum:064x}"


def prepare(connection: Connection) -> None:
    """Make the transaction write values alike everywhere."""
    connection.execute(_SESSION.encode())


def migrations(connection: Connection) -> tuple[str, ...]:
    """Versions that the database has had, oldest first; none where it has had none."""
    there = connection.execute(
        "select to_regclass('supabase_migrations.schema_migrations') is not null"
    ).fetchone()
    if there is None or not there[0]:
        return ()
    rows = connection.execute(
        "select version from supabase_migrations.schema_migrations order by version"
    )
    return tuple(row[0] for row in rows)


def tables(connection: Connection) -> list[Table]:
    """Every table of ours that outlives a crash, and the accounts of Auth."""
    found = connection.execute(
        """
        select n.nspname, c.relname,
          array_agg(a.attname::text order by a.attname) filter (where a.attgenerated = '')
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        join pg_catalog.pg_attribute as a
          on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
          and (n.nspname = any(%s) or (n.nspname = 'auth' and c.relname = any(%s)))
        group by n.nspname, c.relname
        order by n.nspname <> 'auth', n.nspname, c.relname
        """,
        [list(OUR_SCHEMAS), list(_OF_AUTH)],
    ).fetchall()
    listed = [Table(schema, name, tuple(columns)) for schema, name, columns in found]
    return [table for table in listed if str(table) not in _OF_THE_PLACE]


def estimated_rows(connection: Connection, listed: Sequence[Table]) -> int:
    """How many rows the statistics know of: for a progress bar."""
    names = [str(table) for table in listed]
    row = connection.execute(
        """
        select coalesce(sum(n_live_tup), 0)::bigint from pg_catalog.pg_stat_all_tables
        where schemaname || '.' || relname = any(%s)
        """,
        [names],
    ).fetchone()
    return 0 if row is None else int(row[0])


def hold_structure(connection: Connection, listed: Sequence[Table]) -> None:
    """Let no migration change the tables while they are read."""
    connection.execute(
        sql.SQL("lock table {} in access share mode").format(
            sql.SQL(", ").join(table.identifier for table in listed)
        )
    )


def read(connection: Connection, table: Table, checksum: Checksum) -> Iterator[bytes]:
    """The table's rows in pieces that end with a row."""
    gathered = bytearray()
    query = sql.SQL("copy (select {} from {}) to stdout").format(
        table.column_list, table.identifier
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for block in copy:
            line = bytes(block)
            checksum.row(line)
            gathered += line
            if len(gathered) >= PIECE:
                yield bytes(gathered)
                gathered.clear()
    if gathered:
        yield bytes(gathered)


def write(connection: Connection, table: TableRows, pieces: Iterable[bytes]) -> None:
    """Put rows into an emptied table."""
    target = Table(table.schema_name, table.name, table.columns)
    copy_in(connection, target.identifier, table.columns, pieces)


def copy_in(
    connection: Connection, table: sql.Identifier, columns: Sequence[str], pieces: Iterable[bytes]
) -> None:
    """Put rows into a table."""
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("copy {} ({}) from stdin").format(table, listed)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for piece in pieces:
            copy.write(piece)


def sequences(connection: Connection) -> list[SequenceValue]:
    """Where ours stand. No snapshot holds them, so they are read after the rows."""
    found = connection.execute(
        """
        select n.nspname, c.relname from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where c.relkind = 'S' and c.relpersistence = 'p' and n.nspname = any(%s)
        order by 1, 2
        """,
        [list(OUR_SCHEMAS)],
    ).fetchall()
    values = []
    for schema, name in found:
        row = connection.execute(
            sql.SQL("select last_value, is_called from {}").format(sql.Identifier(schema, name))
        ).fetchone()
        if row is not None:
            values.append(
                SequenceValue(schema_name=schema, name=name, last_value=row[0], is_called=row[1])
            )
    return values


def set_sequence(connection: Connection, value: SequenceValue) -> None:
    """Let a sequence stand where it stood."""
    connection.execute(
        "select pg_catalog.setval(pg_catalog.format('%%I.%%I', %s::text, %s::text)::regclass,"
        " %s, %s)",
        [value.schema_name, value.name, value.last_value, value.is_called],
    )


def raise_sequence(connection: Connection, value: SequenceValue) -> None:
    """Let a sequence stand where it stood, unless it stands further."""
    row = connection.execute(
        sql.SQL("select last_value from {}").format(sql.Identifier(value.schema_name, value.name))
    ).fetchone()
    if row is not None and row[0] < value.last_value:
        set_sequence(connection, value)


def keep_others_out(connection: Connection, listed: Sequence[Table]) -> None:
    """Wait until nobody uses the tables, and let nobody in before the transaction ends."""
    connection.execute(
        sql.SQL("lock table {} in access exclusive mode").format(
            sql.SQL(", ").join(table.identifier for table in listed)
        )
    )


def empty(connection: Connection, listed: Sequence[Table]) -> None:
    """Delete all rows of these tables, and every account with what Auth keeps of it."""
    ours = sql.SQL("truncate {}").format(
        sql.SQL(", ").join(table.identifier for table in listed if table.schema != "auth")
    )
    without_triggers(connection)
    connection.execute(ours)
    # Auth's own foreign keys take the sessions with them, whatever its tables are called; what our
    # triggers write of it is emptied once more.
    connection.execute("set local session_replication_role = origin")
    # Where `safeupdate` is on, a statement without a condition is refused.
    connection.execute("delete from auth.users where true")
    without_triggers(connection)
    connection.execute(ours)


def without_triggers(connection: Connection) -> None:
    """Let rows come in as they are: no trigger and no foreign key looks at them again.

    Raises:
        BackupError: The role may not.
    """
    try:
        connection.execute("set local session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        raise BackupError(
            "this role may not set session_replication_role. Hosted, `postgres` may; on a"
            " PostgreSQL of your own: grant set on parameter session_replication_role to postgres"
        ) from None


def population(connection: Connection) -> tuple[int, int]:
    """How many organizations and accounts there are."""
    row = connection.execute(
        "select (select count(*) from public.organizations), (select count(*) from auth.users)"
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def set_mails_aside(connection: Connection, organization: UUID | None = None) -> int:
    """Let no mail go out again that went out after the backup; return how many waited.

    Args:
        connection: As the owner.
        organization: Whose; None: everybody's.
    """
    return connection.execute(
        """
        update private.jobs
        set status = 'dead', finished_at = pg_catalog.now(), lease_token = null,
          last_error = 'set aside after a restore'
        where status in ('queued', 'running') and kind = 'email.send'
          and (%(organization)s::uuid is null or organization_id = %(organization)s)
        """,
        {"organization": organization},
    ).rowcount
