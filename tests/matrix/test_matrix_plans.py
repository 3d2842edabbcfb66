"""A page of a tenant's table costs a page, however many rows and tenants there are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from client import Caller, Connection
from matrix import bulk
from matrix.databases import Databases
from matrix.expectations import TableExpectation, expectations

_TENANT_TABLES = {
    name: table
    for name, table in expectations().tables.items()
    if table.tenant != "true" and name != "profiles"
}
_PAGE = 50
#: Tables with one row a tenant.
_ONE_A_TENANT = ("organizations", "subscriptions", "voucher_settings")
#: The superuser's URL of a big database that is there already.
_DATABASE = "ESCAPEMASTER_BULK_DATABASE"

Plan = dict[str, Any]


@pytest.fixture(scope="module")
def big(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A hundred tenants with four hundred rows each in every table."""

    def made() -> str:
        databases: Databases = request.getfixturevalue("databases")

        def fill(name: str) -> None:
            with psycopg.connect(databases.admin_dsn(name), autocommit=True) as connection:
                bulk.fill(connection, {n: _page_columns(t) for n, t in _TENANT_TABLES.items()})

        return databases.shared("matrix_bulk", databases.schema(), fill)

    dsn = os.environ.get(_DATABASE) or made()
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def _page_columns(table: TableExpectation) -> list[str]:
    return [part.split()[0] for part in table.page.split(",")] if table.page else []


def page_of(connection: Connection, table: TableExpectation) -> str:
    """The statement that PostgREST makes of a client's page."""
    order = table.page
    if not order:
        row = connection.execute(
            "select string_agg(a.attname, ', ' order by k.n)"
            " from pg_constraint as c"
            " cross join unnest(c.conkey) with ordinality as k (attnum, n)"
            " join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.attnum"
            " where c.contype = 'p' and c.conrelid = %s::regclass"
            " and (a.attname <> 'organization_id' or cardinality(c.conkey) = 1)",
            [table.relation],
        ).fetchone()
        assert row is not None
        order = row[0]
    return f"select * from {table.relation} order by {order} limit {_PAGE}"


def explained(connection: Connection, user_id: str, statement: str) -> Plan:
    """The plan of a statement as it ran for a member."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "select set_config('role', 'authenticated', true),"
            " set_config('request.jwt.claims', %s, true),"
            " set_config('request.headers', %s, true)",
            [
                json.dumps(dict(Caller.person(user_id).claims)),
                json.dumps({"x-organization-id": bulk.HOME}),
            ],
        )
        row = connection.execute(
            f"explain (analyze, timing off, format json) {statement}".encode()
        ).fetchone()
    assert row is not None
    plan: Plan = row[0][0]["Plan"]
    return plan


def nodes(plan: Plan) -> Iterator[Plan]:
    """A plan's nodes, from the top."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("member", ["of one organization", "of a hundred"])
@pytest.mark.parametrize("name", _TENANT_TABLES)
def test_a_page_asks_once_for_the_permission_and_reads_the_index_in_order(
    name: str, member: str, big: Connection
) -> None:
    table = _TENANT_TABLES[name]
    user_id = bulk.SOMEWHERE if member == "of one organization" else bulk.EVERYWHERE

    plan = explained(big, user_id, page_of(big, table))

    everything = list(nodes(plan))
    asked = [n for n in everything if n.get("Parent Relationship") == "InitPlan"]
    (scan,) = [n for n in everything if n.get("Relation Name") == name]
    found = 1 if name in _ONE_A_TENANT else _PAGE
    # Once for each permission that the table takes and once who asks where rows are a person's own,
    # and never again for a row; and of the log, once which tables' entries are seen.
    questions = len(table.verbs["select"].split(" and ")) + name.startswith("audit_log")
    questions += bool(table.mine) + bool(table.also)
    assert len(asked) == questions
    assert {question["Actual Loops"] for question in asked} == {1}
    assert not [n for n in everything if "Sort" in n["Node Type"]]
    assert "Index" in scan["Node Type"]
    tenant_column = "id" if name == "organizations" else "organization_id"
    assert f"({tenant_column} = " in scan["Index Cond"]
    assert (plan["Actual Rows"], scan["Actual Rows"]) == (found, found)
    assert scan.get("Rows Removed by Filter", 0) == 0


def test_a_stranger_s_page_reads_nothing(big: Connection) -> None:
    nobody = "00000000-0000-4000-8000-00000000cccc"
    for table in _TENANT_TABLES.values():
        plan = explained(big, nobody, page_of(big, table))
        (scan,) = [n for n in nodes(plan) if n.get("Relation Name") == table.name]
        # Null equals nothing: the index is not even opened.
        assert (plan["Actual Rows"], scan["Actual Rows"]) == (0, 0)
        assert scan.get("Rows Removed by Filter", 0) == 0


@pytest.mark.parametrize("user_id", [bulk.SOMEWHERE, bulk.EVERYWHERE])
def test_a_colleague_s_profile_is_found_by_its_key(user_id: str, big: Connection) -> None:
    plan = explained(
        big,
        user_id,
        f"select user_id, full_name from public.profiles where user_id = '{bulk.EVERYWHERE}'",
    )
    (scan,) = [n for n in nodes(plan) if n.get("Relation Name") == "profiles"]
    assert "Index" in scan["Node Type"]
    assert scan["Actual Rows"] == 1
