"""A function called as a client calls it: whatever type it answers, the answer arrives as JSON.

PostgREST makes an object of a row and a list of a set. What is neither a row nor a set is left as
psycopg reads it, so that tests compare instants and ids without parsing them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

_RETURNS = """
select p.proretset, coalesce(element.typtype, answer.typtype) = 'c'
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
join pg_catalog.pg_type as answer on answer.oid = p.prorettype
left join pg_catalog.pg_type as element on element.typarray = answer.oid
where n.nspname = %s and p.proname = %s
"""

_ONE: LiteralString = "select {}({})"
_ROW: LiteralString = "select to_jsonb({}({}))"
_SET: LiteralString = "select coalesce(jsonb_agg(to_jsonb(a)), '[]') from {}({}) as a"


def asking(
    connection: psycopg.Connection[Any], function: str, arguments: Iterable[str]
) -> sql.Composed:
    """The statement that calls a function with arguments by name; it answers one value.

    Args:
        function: Its name, with a schema unless it is of `public`.
        arguments: The names; their values are the statement's parameters, in this order.
    """
    schema, _, name = function.rpartition(".")
    named = [
        sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder()) for key in arguments
    ]
    return sql.SQL(_form(connection, schema or "public", name)).format(
        sql.Identifier(schema or "public", name), sql.SQL(", ").join(named)
    )


_known: dict[tuple[str, str], LiteralString] = {}


def _form(connection: psycopg.Connection[Any], schema: str, name: str) -> LiteralString:
    """How the function's answer is asked for; a function that is not there is asked plainly."""
    if (schema, name) not in _known:
        with connection.cursor(row_factory=tuple_row) as cursor:
            found = cursor.execute(_RETURNS, [schema, name]).fetchone()
        if found is None:
            return _ONE
        is_set, is_row = found
        _known[schema, name] = _SET if is_set else _ROW if is_row else _ONE
    return _known[schema, name]
