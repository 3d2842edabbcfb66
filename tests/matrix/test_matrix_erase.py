"""Erasing a tenant takes every row of it, and nothing of another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client import Caller, Client, Connection
from matrix.house import House
from matrix.world import CLOSED, EVERYWHERE, SOUTH, Facts

#: What outlives a tenant: the log of the platform's own acts, and the job that deletes its files.
_STAYS = {"private.platform_log", "private.jobs"}


@pytest.fixture
def erased(world: Connection, facts: Facts) -> Iterator[House]:
    """The world in which the closed venue's time is over, and what was there before."""
    with world.transaction(force_rollback=True):
        house = House(world)
        house.owner_sql(
            "update public.organizations set closed_at = now() - interval '91 days' where id = %s",
            facts[CLOSED]["organization"],
        )
        house.owner_sql(
            "insert into private.idempotency_keys (scope, key, request_hash)"
            " values (%s || ':f', 'k', ''), (%s || ':f', 'k', '')",
            facts[CLOSED]["organization"],
            facts[SOUTH]["organization"],
        )
        yield house


def rows(house: House, mentioning: str | None = None) -> dict[str, list[str]]:
    """Every row of ours as text, by table; or those that mention something."""
    found: dict[str, list[str]] = {}
    for table in house.owner_sql(
        "select c.oid::regclass::text as name from pg_class as c"
        " where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and c.relkind = 'r'"
    ):
        name = table["name"]
        texts = house.owner_sql(f"select t::text as row from {name} as t order by 1")
        kept = [t["row"] for t in texts if mentioning is None or mentioning in t["row"]]
        if kept:
            found[name] = kept
    return found


def erase(house: House, facts: Facts) -> None:
    operator = Client(house.connection, Caller.person(facts[EVERYWHERE]["operator"]))
    operator.call(
        "platform_erase_organization",
        organization_id=facts[CLOSED]["organization"],
        reason="Time is over",
    )


def test_no_row_of_an_erased_tenant_is_left_anywhere(erased: House, facts: Facts) -> None:
    organization = facts[CLOSED]["organization"]
    assert len(rows(erased, organization)) > 25

    log = "select count(*) from private.platform_log where organization_id = %s"
    done_before = erased.one(log, organization)

    erase(erased, facts)

    assert erased.one(log, organization) == done_before + 1
    left = rows(erased, organization)
    assert set(left) - _STAYS == set()
    (job,) = left["private.jobs"]
    assert "storage.erase" in job


def test_nothing_else_is_touched(erased: House, facts: Facts) -> None:
    organization = facts[CLOSED]["organization"]
    before = rows(erased)

    erase(erased, facts)

    after = rows(erased)
    for table, texts in before.items():
        if table in _STAYS:
            continue
        gone, new = set(texts) - set(after.get(table, [])), set(after.get(table, [])) - set(texts)
        assert all(organization in text for text in gone), (table, gone)
        # People stay; whose active organization it was has none now.
        assert len(new) == (len(gone) if table == "profiles" else 0), table
