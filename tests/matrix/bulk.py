"""A hundred venues with four hundred rows each in every table, for reading plans.

The rows need only have the right keys: constraints and triggers are put out of the way, since
plans do not depend on them, and the database is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client import Connection

ORGANIZATIONS = 100
ROWS = 40_000
#: A member of every organization, and a member of one.
EVERYWHERE = "00000000-0000-4000-8000-00000000aaaa"
SOMEWHERE = "00000000-0000-4000-8000-00000000bbbb"
HOME = "10000000-0000-4000-8000-000000000007"

_NEW_ID = "gen_random_uuid()"
_OF_TYPE = {
    "uuid": _NEW_ID,
    "text": "'x'",
    "citext": "'x'",
    "int2": "1",
    "int4": "1",
    "int8": "1",
    "bool": "true",
    "date": "current_date",
    "time": "time '10:00'",
    "timestamptz": "now()",
    "tstzrange": "'empty'",
    "jsonb": "'{}'",
    "bytea": "''",
    "_text": "'{}'",
}
#: Columns of unique keys, and those that pages are ordered by, differ from row to row.
_DIFFERENT = {
    "text": "'x' || g",
    "int4": "g",
    "int8": "g",
    "date": "date '2000-01-01' + g",
    "timestamptz": "timestamptz '2026-01-01Z' + make_interval(secs => (g * 7919) % 10000019)",
    "time": "time '00:00' + make_interval(secs => g % 86400)",
}
#: How many ids of its own a row of any table takes from the rows that are computed once.
_IDS = 6
#: To compute them for each table anew was half of what the tables cost.
_SEED = f"""
create temporary table seed on commit drop as
select g,
  ('10000000-0000-4000-8000-' || lpad((1 + g % {ORGANIZATIONS})::text, 12, '0'))::uuid as tenant,
  {", ".join(f"{_NEW_ID} as id_{number}" for number in range(_IDS))}
from generate_series(1, {ROWS}) as g
"""
#: Half the rows of every venue are the one member's, half the other's.
_OF_BOTH = f"(case g / {ORGANIZATIONS} % 2 when 0 then '{EVERYWHERE}' else '{SOMEWHERE}' end)::uuid"
#: Where a policy asks about the value itself.
_VALUES = {
    ("audit_log", "table_name"): "'rooms'",
    ("audit_log_personal", "table_name"): "'rooms'",
    ("notification_preferences", "user_id"): _OF_BOTH,
    ("notifications", "user_id"): _OF_BOTH,
    ("table_exports", "user_id"): _OF_BOTH,
    # Once in any case of its letters.
    ("tags", "name"): "'x' || g",
    # Half of them of money, which takes a permission more.
    ("notifications", "type"): (
        f"case g / {2 * ORGANIZATIONS} % 2 when 0 then 'payment_disputed' else 'booking_new' end"
    ),
}


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    differs: bool
    has_default: bool


def fill(connection: Connection, pages: dict[str, Sequence[str]]) -> None:
    """Fill a database made by sql/.

    Args:
        connection: The superuser's, in autocommit.
        pages: The columns that each table is leafed through by.
    """
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute("set local synchronous_commit = off")
        connection.execute("set local maintenance_work_mem = '256MB'")
        _drop_constraints(connection, "c", "x", "f")
        tables = _tenant_tables(connection)
        # What is put into a table that this transaction has emptied is not logged as well.
        connection.execute(f"truncate {', '.join(f'public.{t}' for t in tables)}".encode())
        _people(connection)
        connection.execute(_SEED.encode())
        for table in tables:
            columns = _columns(connection, table)
            tenants = _tenants(connection, table)
            rebuild = _drop_indexes(connection, table)
            _rows(connection, table, columns, pages.get(table, ()), tenants)
            for statement in rebuild:
                connection.execute(statement.encode())
    # A tenth of the usual sample tells as well that every tenant has as many rows.
    connection.execute("set default_statistics_target = 10; analyze")


def _drop_constraints(connection: Connection, *kinds: str) -> None:
    for (statement,) in connection.execute(
        "select format('alter table %%s drop constraint %%I', conrelid::regclass, conname)"
        " from pg_constraint where contype = any (%s) and conrelid <> 0 and connamespace = any"
        " (array['public', 'private']::regnamespace[])",
        [list(kinds)],
    ).fetchall():
        connection.execute(statement.encode())


def _drop_indexes(connection: Connection, table: str) -> list[str]:
    """Building an index at the end is several times faster than growing it.

    Returns:
        What brings them back. Primary keys become constraints again, the others indexes.
    """
    found = connection.execute(
        """
        select i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), c.conname, c.contype,
          pg_get_constraintdef(c.oid)
        from pg_index as i
        left join pg_constraint as c on c.conindid = i.indexrelid and c.contype in ('p', 'u')
        where i.indrelid = ('public.' || quote_ident(%s))::regclass
        """,
        [table],
    ).fetchall()
    rebuild = []
    for index, definition, constraint, kind, text in found:
        if constraint is None:
            connection.execute(f"drop index {index}".encode())
        else:
            connection.execute(f"alter table public.{table} drop constraint {constraint}".encode())
        if kind == "p":
            rebuild.append(f"alter table public.{table} add constraint {constraint} {text}")
        else:
            rebuild.append(definition)
    return rebuild


def _people(connection: Connection) -> None:
    connection.execute(
        f"""
        insert into public.organizations (id, name, slug)
        select ('10000000-0000-4000-8000-' || lpad(g::text, 12, '0'))::uuid, 'x', 'x' || g
        from generate_series(1, {ORGANIZATIONS}) as g;

        insert into public.profiles (user_id, active_organization_id)
        values ('{EVERYWHERE}', '{HOME}'), ('{SOMEWHERE}', '{HOME}');
        insert into public.profiles (user_id)
        select gen_random_uuid() from generate_series(1, {ROWS});

        insert into public.roles (organization_id, id, key, name)
        select o.id, o.id, 'everything', 'x' from public.organizations as o;

        -- Venues without anything, so that the table itself is big, too.
        insert into public.organizations (id, name, slug)
        select gen_random_uuid(), 'x', 'y' || g from generate_series(1, {ROWS}) as g;

        insert into public.role_permissions (organization_id, role_id, permission_key)
        select r.organization_id, r.id, p.key
        from public.roles as r cross join public.permissions as p;

        insert into public.memberships (organization_id, user_id, role_id)
        select r.organization_id, '{EVERYWHERE}'::uuid, r.id from public.roles as r
        union all
        select '{HOME}'::uuid, '{SOMEWHERE}'::uuid, '{HOME}'::uuid;
        """.encode()
    )


def _tenant_tables(connection: Connection) -> list[str]:
    return [
        str(name)
        for (name,) in connection.execute(
            "select c.relname from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
            " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
            " and a.attname = 'organization_id' and not a.attisdropped order by 1"
        )
    ]


def _tenants(connection: Connection, table: str) -> str:
    """The expression of the organization that row g belongs to."""
    row = connection.execute(
        "select exists (select from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid"
        " where i.indrelid = ('public.' || quote_ident(%s))::regclass and i.indisunique"
        " and i.indnkeyatts = 1 and a.attnum = i.indkey[0] and a.attname = 'organization_id')",
        [table],
    ).fetchone()
    if row == (True,):
        # The others belong to venues that are not looked at, so that the table is big, too.
        return f"case when g <= {ORGANIZATIONS} then tenant else {_NEW_ID} end"
    return "tenant"


def _rows(
    connection: Connection,
    table: str,
    columns: Sequence[_Column],
    page: Sequence[str],
    tenants: str,
) -> None:
    values = {"organization_id": tenants}
    for column in columns:
        differs = column.differs or column.name in page
        if (table, column.name) in _VALUES:
            values[column.name] = _VALUES[table, column.name]
        elif differs and column.type in _DIFFERENT:
            values[column.name] = _DIFFERENT[column.type]
        elif column.type == "uuid" and (differs or not column.has_default):
            # Cheaper than a time-ordered one, and the plan is the same.
            values[column.name] = _NEW_ID
        elif not column.has_default:
            values[column.name] = _OF_TYPE[column.type]
    ids = iter(f"id_{number}" for number in range(_IDS))
    computed = [next(ids, _NEW_ID) if value == _NEW_ID else value for value in values.values()]
    connection.execute(
        f"insert into public.{table} ({', '.join(values)})"
        f" select {', '.join(computed)} from pg_temp.seed".encode()
    )


def _columns(connection: Connection, table: str) -> list[_Column]:
    return [
        _Column(name, type_name, differs, has_default)
        for name, type_name, differs, has_default in connection.execute(
            r"""
            select a.attname, t.typname,
              exists (
                select from pg_index as i
                where i.indrelid = a.attrelid and i.indisunique
                  and a.attnum = any (i.indkey::int2[])
              ),
              -- Defaults that call functions of ours cost more than the row.
              coalesce(pg_get_expr(d.adbin, d.adrelid) !~ 'private\.', false)
            from pg_attribute as a
            left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
            join pg_type as t on t.oid = a.atttypid
            where a.attrelid = ('public.' || quote_ident(%s))::regclass
              and a.attnum > 0 and not a.attisdropped
              and a.attgenerated = '' and a.attidentity = ''
              and a.attname <> 'organization_id'
              and (a.attnotnull or a.attname = 'id' or a.attname = any (%s))
            """,
            [table, [name for of, name in _VALUES if of == table]],
        )
    ]
