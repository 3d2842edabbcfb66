"""What fails within a function or a table of ours is written into the database's log."""

from __future__ import annotations

from contextlib import suppress

import pytest

from client import ANON, Caller, Client, Connection, Refused
from matrix.expectations import EVERYONE, NOBODY, expectations
from matrix.world import EVERYWHERE, NORTH, Facts

_EXPECTED = expectations()
_CALLED = [
    (role, name)
    for name, function in _EXPECTED.functions.items()
    for role in ("anon", "authenticated")
    if role in function.roles and name.startswith("public.")
]
#: What is everyone's has no guard to begin by.
_READ = [
    name
    for name, table in _EXPECTED.tables.items()
    if table.verbs["select"] not in (NOBODY, EVERYONE)
]


def asking(world: Connection, facts: Facts, role: str, person: str = "owner") -> Client:
    """Somebody whose request was let in, and is to be read now."""
    if role == "anon":
        client = Client(world, ANON).sending(x_forwarded_for="203.0.113.9")
    else:
        caller = Caller.person(facts[EVERYWHERE][person])
        client = Client(world, caller, organization=facts[NORTH]["organization"])
    client.select("select private.check_request()")
    assert logged(world) == "log"
    return client


def logged(world: Connection) -> str:
    """What is written down from here on."""
    row = world.execute("select current_setting('log_min_messages')").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(("role", "name"), _CALLED)
def test_what_fails_in_a_function_is_written_down(
    world: Connection, facts: Facts, role: str, name: str
) -> None:
    function = _EXPECTED.functions[name]
    call = function.call(facts[NORTH]).replace("%", "%%")
    with world.transaction(force_rollback=True):
        client = asking(world, facts, role, "operator" if function.needs == "operator" else "owner")
        # A refusal of the product's is kept out of the log by itself, and what it set is undone.
        with suppress(Refused):
            client.select(f"select {call}")
            assert logged(world) == "warning"


@pytest.mark.parametrize("name", _READ)
def test_what_fails_in_a_tenant_s_table_is_written_down(
    world: Connection, facts: Facts, name: str
) -> None:
    with world.transaction(force_rollback=True):
        client = asking(world, facts, "authenticated")
        client.select(f"select 1 from public.{name}")
        assert logged(world) == "warning"
