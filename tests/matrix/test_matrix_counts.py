"""What counts the rows and transactions of all tenants, and so would tell one of the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client import Connection
from matrix.actors import Actor, cast
from matrix.expectations import NOBODY, expectations
from matrix.postgrest import PostgrestClient, serving
from matrix.world import NORTH, Facts

_EXPECTED = expectations()
#: PostgreSQL's own columns: of transactions and commands, and where a row lies among all others.
_SYSTEM = ("xmin", "xmax", "cmin", "cmax", "ctid", "tableoid")
#: Numbers that clients know things by, and why they count nothing.
_NUMBERS = {
    "audit_log.id": "made from the time",
    "audit_log_personal.id": "the entry's",
    "logged_change.id": "the entry's",
    "platform_log.id": "for operators of the platform only",
    "platform_log_entry.id": "for operators of the platform only",
    "webhook_attempt.number": "of the tries of one delivery",
}


@pytest.fixture(scope="module")
def postgrest(world_dsn: str) -> Iterator[PostgrestClient]:
    with serving(world_dsn) as client:
        yield client


@pytest.fixture(scope="module")
def owner(facts: Facts) -> Actor:
    [found] = [actor for actor in cast(facts, _EXPECTED) if actor.name == "owner"]
    return found


@pytest.mark.parametrize(
    "name", [n for n, table in _EXPECTED.tables.items() if table.verbs["select"] != NOBODY]
)
def test_nobody_reads_filters_or_orders_by_a_column_of_postgresql_s_own_in(
    name: str, postgrest: PostgrestClient, facts: Facts, owner: Actor
) -> None:
    organization = facts[NORTH]["organization"]
    allowed = []
    queries = [f"select={column}" for column in _SYSTEM]
    queries += [f"{column}=eq.1" for column in ("xmin", "xmax", "cmin", "cmax", "tableoid")]
    for query in (*queries, "ctid=gt.(0,1)", "order=ctid"):
        answer = postgrest.send(owner.caller, organization, "GET", f"/{name}?{query}", [])
        if (answer.status_code, answer.json().get("code")) != (403, "42501"):
            allowed.append((query, answer.status_code, answer.text[:100]))
    assert allowed == []


def test_no_answer_has_a_number_from_a_sequence_of_all_tenants(world: Connection) -> None:
    """Ids are random, or made from the time and at random."""
    found = {
        f"{table}.{column}"
        for table, column in world.execute(
            """
            select c.relname, a.attname
            from pg_class as c
            join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relnamespace = 'public'::regnamespace
              and a.atttypid in ('int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
              and a.attname ~ '^(id|number)$|_id$|_number$'
              and (
                c.relkind = 'c'
                or has_column_privilege('authenticated', c.oid, a.attnum, 'select')
              )
            """
        )
    }
    assert found <= set(_NUMBERS)
    assert (
        world.execute(
            """
            select c.oid::regclass || '.' || a.attname
            from pg_class as c
            join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
            left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
            where c.relnamespace = 'public'::regnamespace
              and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~ 'nextval')
              and c.relname <> 'audit_log'
            """
        ).fetchall()
        == []
    )


def test_an_id_of_the_log_says_when_and_not_how_many(world: Connection) -> None:
    turn = """
        with written as (
          insert into public.audit_log (organization_id, actor_kind, action, table_name, row_key)
          select id, 'system', 'insert', 'rooms', '' from public.organizations limit 1
          returning id, clock_timestamp() as at
        )
        select id, (extract(epoch from at) * 1000000)::bigint - 1577836800000000 from written
    """
    before = world.execute(
        "select (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1577836800000000"
    ).fetchone()
    first = world.execute(turn).fetchone()
    # Others write a million entries.
    world.execute("select setval('private.log_turns', nextval('private.log_turns') + 1000000)")
    second = world.execute(turn).fetchone()
    assert before and first and second
    assert before[0] <= first[0] // 4 <= first[1] <= second[0] // 4 <= second[1]
    assert second[0] < 2**53
