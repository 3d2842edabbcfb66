"""What a visit of the platform's support makes ends with it, or is refused: everything that clients
can call or write is decided on, and does as the page says."""

from __future__ import annotations

import pytest

from client import Caller, Client, Connection
from matrix.expectations import NOBODY, OWN, FunctionExpectation, expectations
from matrix.house import House, email_of
from matrix.probe import Attempt, attempt
from matrix.world import EVERYWHERE, NORTH, Facts

_EXPECTED = expectations()
_RESTING = {key for key, p in _EXPECTED.permissions.items() if p.rests_in_visits}
_REFUSED = "refused_in_a_visit"


def under_permissions(world: Connection) -> dict[str, FunctionExpectation]:
    """The functions that may write and ask for permissions, from the catalogue."""
    rows = world.execute(
        "select 'public.' || p.proname from pg_proc as p"
        " where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v'"
        " and has_function_privilege('authenticated', p.oid, 'execute')"
    )
    # What asks for none is open to whoever visits nobody, too.
    return {
        name: _EXPECTED.functions[name]
        for (name,) in rows
        if not isinstance(_EXPECTED.functions[name].needs, str)
    }


def test_every_function_and_table_that_a_visit_may_write_is_decided_on(world: Connection) -> None:
    written = {
        name for name, f in under_permissions(world).items() if not _RESTING & frozenset(f.needs)
    }
    for table in (*_EXPECTED.tables.values(), *_EXPECTED.buckets.values()):
        verbs = {table.verbs[verb] for verb in ("insert", "update", "delete")} - {NOBODY, OWN}
        if verbs - _RESTING:
            written.add(table.name)
    assert set(_EXPECTED.visits) == written
    assert {fate.partition(": ")[0] for fate in _EXPECTED.visits.values()} == {
        "ends",
        "refused",
        "stays",
    }
    for name, fate in _EXPECTED.visits.items():
        assert fate in ("ends", "refused") or len(fate) > len("stays: "), name


def test_what_rests_in_visits_is_refused_to_the_highest_role_of_a_visit(
    world: Connection, facts: Facts
) -> None:
    here = facts[NORTH]["organization"]
    with world.transaction(force_rollback=True):
        visitor = Caller.person(_enter_as_admin(world, facts))
        outcomes = {}
        for name, function in under_permissions(world).items():
            call = Attempt("call", f"select to_jsonb({function.call(facts[NORTH])})")
            (outcome,) = attempt(world, visitor, here, [call], checked=True)
            outcomes[name] = outcome.code
    denied = {"permission_denied", _REFUSED}
    for name, code in outcomes.items():
        fate = _EXPECTED.visits.get(name, "rests")
        if fate == "rests":
            assert code == _EXPECTED.functions[name].denied or name.endswith("end_support_entry")
        elif fate == "refused":
            assert code in (_REFUSED, "member_not_found"), name
        else:
            assert code not in denied, name


def test_a_visit_is_told_what_it_holds(world: Connection, facts: Facts) -> None:
    with world.transaction(force_rollback=True):
        visitor = Client(world, Caller.person(_enter_as_admin(world, facts)))
        (here,) = visitor.call("my_context")["organizations"]
        held = {
            p for p in _EXPECTED.permissions
            if visitor.at(here["id"]).call("has_permission", permission=p)
        }  # fmt: skip
    assert set(here["permissions"]) == held == _EXPECTED.held_in_visits_by("admin")


@pytest.mark.parametrize("address", ["friend@example.test", None])
def test_a_visit_gives_no_customer_s_bookings_to_another_address(
    world: Connection, facts: Facts, address: str | None
) -> None:
    """By my_bookings whoever has proven the address of a customer has the bookings."""
    value = "null" if address is None else f"'{address}'"
    change = f"update public.customers set email = {value} where id = '{facts[NORTH]['customer']}'"
    here = facts[NORTH]["organization"]
    with world.transaction(force_rollback=True):
        visitor = Caller.person(_enter_as_admin(world, facts))
        changes = [change, change.replace(f"email = {value}", "full_name = 'Bea', email = email")]
        outcomes = attempt(world, visitor, here, [Attempt("write", c) for c in changes])
        assert [o.code for o in outcomes] == [_REFUSED, "ok"]
        (mine,) = attempt(
            world, Caller.person(facts[EVERYWHERE]["owner"]), here, [Attempt("write", change)]
        )
        assert mine.code == "ok"


def _enter_as_admin(world: Connection, facts: Facts) -> str:
    """Somebody of the platform's, who visits NORTH as administrator."""
    house = House(world)
    person = house.sign_up("visiting_admin")
    house.owner_sql(
        "insert into private.platform_admins (user_id) select user_id from public.profiles"
        " where email = %s",
        email_of("visiting_admin"),
    )
    person.call(
        "platform_enter_organization",
        organization_id=facts[NORTH]["organization"],
        reason="A visit in the highest role",
        role_key="admin",
    )
    return str(person.id)
