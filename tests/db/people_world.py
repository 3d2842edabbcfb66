"""Twins of people: what two tenants may have in common."""

from __future__ import annotations

from db.booking_world import Shop


def share_ids(shop: Shop, foreign: Shop, *tables: str) -> None:
    """Give a tenant's rows of some tables the ids of another's, wherever those are referred to.

    Ids are unique in a tenant and no further. Each table must hold as many rows in both.
    """
    house = shop.house

    def ids(place: Shop, table: str) -> list[str]:
        rows = house.owner_sql(
            f"select id::text from public.{table} where organization_id = %s order by id", place.id
        )
        return [row["id"] for row in rows]

    pairs = [
        pair for table in tables for pair in zip(ids(foreign, table), ids(shop, table), strict=True)
    ]
    columns = house.owner_sql(
        """
        select
          c.oid::regclass::text as relation,
          a.attname as name,
          a.atttypid::regtype::text as type
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid
        where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
          and c.relkind = 'r'
          and a.attnum > 0 and not a.attisdropped and a.attidentity = '' and a.attgenerated = ''
          and a.atttypid in ('uuid'::regtype, 'text'::regtype, 'jsonb'::regtype)
          and exists (
            select from pg_attribute as o
            where o.attrelid = c.oid and o.attname = 'organization_id'
          )
        """
    )
    # Neither triggers nor foreign keys: the log is rewritten, and parents go before children.
    house.connection.execute("set local session_replication_role = replica")
    for old, new in pairs:
        for column in columns:
            house.connection.execute(
                f"update {column['relation']} set {column['name']}"
                f" = replace({column['name']}::text, %s, %s)::{column['type']}"
                f" where organization_id = %s and {column['name']}::text like %s".encode(),
                [old, new, foreign.id, f"%{old}%"],
            )
    house.connection.execute("set local session_replication_role = origin")
