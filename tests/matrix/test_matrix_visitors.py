"""What anybody may call is counted, and the log says whose deed it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from client import SERVICE, Caller, Client, Connection, Refused
from matrix.expectations import expectations
from matrix.house import House
from matrix.world import EVERYWHERE, NORTH, Facts

_FUNCTIONS = expectations().functions
_ANYBODY_S = [name for name, function in _FUNCTIONS.items() if "anon" in function.roles]
#: Who is not known yet, or need not be the one who booked, is who is signed in.
_SIGNED_IN_S = {
    ("public.hold_booking", "customers"),
    ("public.hold_booking", "sessions"),
    ("public.hold_order", "customers"),
    ("public.hold_order", "sessions"),
    ("public.join_waitlist", "customers"),
    ("public.sign_waiver", "waiver_signatures"),
}
#: What many ask for from one address: whoever has the token is counted by what it opens, and only
#: who guesses by the address.
_COUNTED_BY_TARGET = {"public.get_calendar_feed": ("calendar_feed", "feed_token")}
_SERVICE_S = [name for name, function in _FUNCTIONS.items() if name.startswith("service.")]


@pytest.fixture
def house(busy_world: Connection) -> Iterator[House]:
    with busy_world.transaction(force_rollback=True):
        yield House(busy_world)


@pytest.mark.parametrize("name", _ANYBODY_S)
def test_an_address_may_not_go_on_for_ever(house: House, busy_facts: Facts, name: str) -> None:
    house.connection.execute(
        "alter table private.rate_limit_rules drop constraint rate_limit_rules_max_hits_is_positive"
    )
    house.owner_sql("update private.rate_limit_rules set max_hits = 0 where scope = 'address'")
    visitor = house.nobody.sending(x_forwarded_for="203.0.113.7")
    facts = dict(busy_facts[NORTH])
    if name in _COUNTED_BY_TARGET:
        action, token = _COUNTED_BY_TARGET[name]
        house.owner_sql(
            "update private.rate_limit_rules set max_hits = 0"
            " where action = %s and scope = 'target'",
            action,
        )
        with pytest.raises(Refused, match="429 rate_limited"):
            visitor.select(f"select {_FUNCTIONS[name].call(facts)}".replace("%", "%%"))
        facts[token] = "guessed"
    with pytest.raises(Refused, match="429 rate_limited"):
        visitor.select(f"select {_FUNCTIONS[name].call(facts)}".replace("%", "%%"))


@pytest.mark.parametrize("name", _ANYBODY_S)
def test_what_is_done_with_a_link_is_the_customer_s_deed(
    house: House, busy_facts: Facts, name: str
) -> None:
    """Even when somebody is signed in who is no member."""
    player = Client(house.connection, Caller.person(busy_facts[EVERYWHERE]["player"]))
    for entry in told(house, player, name, busy_facts):
        if (name, entry["what"]) in _SIGNED_IN_S:
            assert entry["actor_kind"] == "user"
        else:
            assert entry["actor_kind"] in ("customer", "system"), entry


@pytest.mark.parametrize("name", _SERVICE_S)
def test_what_the_service_does_is_never_its_own_deed(
    house: House, busy_facts: Facts, name: str
) -> None:
    # Whoever pays is given the time for it.
    house.owner_sql(
        "update public.bookings set hold_expires_at = now() + interval '10 minutes'"
        " where hold_expires_at > now()"
    )
    for entry in told(house, Client(house.connection, SERVICE), name, busy_facts):
        assert entry["actor_kind"] in ("customer", "system"), entry


def told(house: House, client: Client, name: str, facts: Facts) -> list[dict[str, Any]]:
    """What the log and the bookings' histories tell of a call: who did something to what.

    Every customer who did something is one of the venue's.
    """
    organization = facts[NORTH]["organization"]
    last = house.one("select max(id) from public.audit_log")
    house.owner_sql("create temporary table told_before as table public.booking_history")
    with suppress(Refused):
        client.select(f"select {_FUNCTIONS[name].call(facts[NORTH])}".replace("%", "%%"))
    entries = house.owner_sql(
        "select l.actor_kind, l.actor_id, l.table_name as what from public.audit_log as l"
        " where l.organization_id = %s and l.id > %s"
        " union all select h.actor_kind, h.actor_id, 'history' from public.booking_history as h"
        " where h.organization_id = %s and h.id not in (select b.id from told_before as b)",
        organization,
        last,
        organization,
    )
    customers = house.owner_sql(
        "select id from public.customers where organization_id = %s", organization
    )
    for entry in entries:
        assert entry["actor_kind"] != "customer" or {"id": entry["actor_id"]} in customers, entry
    return entries
