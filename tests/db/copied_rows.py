"""Rows of a venue, written again as those of another: making a venue costs more than most tests.

A copy is what the product's functions would have made at this moment: the same rows, those of the
log among them, with ids and times of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from psycopg import sql

from client import Connection, Ending, in_one

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MOMENT = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(?:\.\d+)?"

#: Tables that may hold such rows, and the columns that are not computed.
_TABLES = """
select
  n.nspname, c.relname,
  array_agg(a.attname::text) filter (where a.attgenerated = '' and a.attidentity = '')
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'r' and n.nspname in ('auth', 'private', 'public')
group by n.nspname, c.relname
"""


#: More of a table's text than this is copied by a statement of its own.
_MUCH = 5_000


@dataclass(frozen=True, slots=True)
class Original:
    """What stood in the database when it was read; what becomes of its rows is no matter.

    In all texts every second piece is an id, a moment or a name, of which a copy has its own.

    Attributes:
        inserts: Statements that write again what is little.
        copies: By the statement that copies into a table, the text of its many rows.
        read_at: The time before which all of it happened.
    """

    inserts: list[str]
    copies: dict[bytes, list[str]]
    read_at: datetime

    @classmethod
    def read(cls, admin: Connection, ids: list[str], names: list[str]) -> Original:
        """Read every row that names one of some ids.

        Args:
            admin: The superuser's connection.
            ids: Of whom the rows are, such as an organization and its owner.
            names: What has to be unique beside ids.
        """
        token = re.compile("|".join([f"({_ID}", _MOMENT, *map(re.escape, names)]) + ")")
        # What triggers would add are rows of the original, too.
        inserts, copies = ["set local session_replication_role = replica"], {}
        for schema, table, columns in admin.execute(_TABLES).fetchall():
            parts = {
                "place": sql.Identifier(schema, table),
                "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
                "ids": sql.Literal("|".join(ids)),
                "row": sql.SQL("|| ',' ||").join(
                    sql.SQL("quote_nullable({}::text)").format(sql.Identifier(column))
                    for column in columns
                ),
            }
            chosen = sql.SQL(
                "copy (select {columns} from {place} as t where t::text ~ {ids}) to stdout"
            )
            with admin.cursor().copy(chosen.format(**parts)) as rows:
                text = b"".join(rows).decode()
            if len(text) > _MUCH:
                into = sql.SQL("copy {place} ({columns}) from stdin").format(**parts)
                copies[into.as_bytes()] = token.split(text)
            elif text:
                insert = sql.SQL(
                    "select format('insert into {place} ({columns}) values %s',"
                    " string_agg('(' || {row} || ')', ',')) from {place} as t where t::text ~ {ids}"
                )
                ((statement,),) = admin.execute(insert.format(**parts)).fetchall()
                inserts.append(statement)
        return cls(token.split("; ".join(inserts)), copies, datetime.now(UTC))

    def copy(self, admin: Connection, own: dict[str, str]) -> dict[str, str]:
        """Write it again.

        Args:
            admin: The superuser's connection, outside of a transaction.
            own: The copy's names, by the original's.

        Returns:
            What the copy has instead, by what the original has.
        """
        own = dict(own)
        by = datetime.now(UTC) - self.read_at
        with in_one(admin, self._written(self.inserts, own, by), Ending("")):
            for statement, pieces in self.copies.items():
                with admin.cursor().copy(statement) as rows:
                    rows.write(self._written(pieces, own, by))
        return own

    @staticmethod
    def _written(pieces: list[str], own: dict[str, str], by: timedelta) -> str:
        written = pieces.copy()
        for place in range(1, len(pieces), 2):
            token = pieces[place]
            if (new := own.get(token)) is None:
                new = own[token] = _later(token, by)
            written[place] = new
        return "".join(written)


def _later(token: str, by: timedelta) -> str:
    """Another id, or the moment that is later by so much."""
    if token[4] == "-":
        return (datetime.fromisoformat(token) + by).isoformat(token[10], "microseconds")
    new = str(uuid4())
    if token[14] != "7":
        return new
    # Begins with the milliseconds at which it was made.
    made = f"{int(token[:8] + token[9:13], 16) + by // timedelta(milliseconds=1):012x}"
    return f"{made[:8]}-{made[8:]}-7{new[15:]}"
