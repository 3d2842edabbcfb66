"""Whatever changes something is in the log: every function is asked for its entry."""

from __future__ import annotations

import json

import pytest

from matrix.actors import Actor, cast
from matrix.cells import FunctionCells
from matrix.client import Connection
from matrix.expectations import FunctionExpectation, expectations
from matrix.world import NORTH, Facts

_EXPECTED = expectations()

#: Functions that may change something, and whose sample call leaves no entry: the reason.
_SILENT: dict[str, str] = {
    name: reason
    for reason, names in {
        "reads, and counts the request for its limit": (
            "public.get_availability public.get_booking public.get_calendar"
            " public.get_calendar_feed public.get_currencies public.get_join_code"
            " public.get_waitlist_entry public.get_waiver public.get_waiver_kiosk"
            " public.quote_booking public.quote_reschedule public.validate_coupon"
        ),
        "the sample is refused: what it would write is a row of a tenant's table": (
            "public.accept_invitation public.accept_waitlist_offer"
            " public.claim_session_as_game_master service.apply_checkout_session"
            " service.apply_dispute service.apply_refund"
        ),
        "the sample asks for what is so already": (
            "public.platform_reactivate_organization public.reactivate_member"
            " public.set_role_permissions service.sweep"
        ),
        "the log of the organization that it makes": "public.create_organization",
        "the log goes with the organization; the platform's own says who and why": (
            "public.platform_erase_organization"
        ),
        "the caller's own choice, which colleagues are not shown": "public.switch_organization",
        "the queue and its mails: what caused the work has its entry": (
            "service.claim_jobs service.complete_job service.extend_job service.fail_job"
            " service.prepare_email service.record_email service.record_email_event"
            " service.queue_stale_checkouts service.retry_job"
        ),
        "a page of the provider: the payment has its entry": (
            "service.fail_checkout service.open_checkout service.record_checkout"
        ),
        "an inbox: what it is about is read anew": "service.receive_stripe_event",
        "the sample's token is not the mail's": "public.confirm_booking",
        "one export waits already, and is answered again": "public.export_organization",
        "reads, and counts for the limit of who asks": "public.my_booking_token",
        "counts for a limit, and nothing else": "service.limit_checkouts",
        "what the service found of words, or tries again; who wrote them has an entry": (
            "service.record_email_words service.retry_dead_jobs"
        ),
        "the sample is of a payment that nobody knows": "service.apply_dispute",
        "that a key was used is a column of its own, to the minute": "service.exchange_api_key",
    }.items()
    for name in names.split()
}


@pytest.fixture(scope="module")
def actors(facts: Facts) -> dict[str, Actor]:
    return {actor.name: actor for actor in cast(facts, _EXPECTED)}


def caller_of(
    function: FunctionExpectation, facts: Facts, actors: dict[str, Actor]
) -> Actor | None:
    """Somebody whose sample call goes through, if there is anybody."""
    cells = FunctionCells(facts, _EXPECTED)
    for name in ("owner", "receptionist", "player", "operator", "service_role"):
        if cells.of(actors[name], function).code == "ok":
            return actors[name]
    return None


def entries(connection: Connection, facts: Facts, function: FunctionExpectation, by: Actor) -> int:
    """How many entries the sample call leaves in the organization's log."""
    here = facts[NORTH]["organization"]
    with connection.transaction(force_rollback=True):
        (last,) = connection.execute("select max(id) from public.audit_log").fetchone() or (0,)
        connection.execute("set constraints all immediate")
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
            " set_config('request.headers', %s, true)",
            [
                by.caller.role,
                json.dumps(dict(by.caller.claims)),
                json.dumps({"x-organization-id": here}),
            ],
        )
        connection.execute(f"select to_jsonb({function.call(facts[NORTH])})".encode())
        connection.execute("set local role none")
        row = connection.execute(
            "select count(*) from public.audit_log where organization_id = %s and id > %s",
            [here, last],
        ).fetchone()
    assert row is not None
    return int(row[0])


def changing(connection: Connection) -> list[str]:
    """The functions of the catalogue that are declared to change something."""
    return sorted(
        name
        for (name,) in connection.execute(
            "select n.nspname || '.' || p.proname from pg_proc as p"
            " join pg_namespace as n on n.oid = p.pronamespace"
            " where n.nspname in ('public', 'service') and p.provolatile = 'v'"
        )
    )


def test_every_function_that_changes_something_leaves_an_entry(
    world: Connection, facts: Facts, actors: dict[str, Actor]
) -> None:
    silent = set()
    for name in changing(world):
        function = _EXPECTED.functions[name]
        caller = caller_of(function, facts, actors)
        if caller is None or entries(world, facts, function, caller) == 0:
            silent.add(name)
    assert sorted(silent) == sorted(_SILENT)


#: What says nothing of anybody.
_EMPTY = "('null', '\"\"', '{}', '[]')"


def values(connection: Connection, query: str, parameter: str) -> set[str]:
    """What a query finds, as JSON: not what is empty, nor words that other rows share."""
    return {
        value
        for (value,) in connection.execute(
            f"select v::text from ({query}) as t (v) where v not in {_EMPTY}".encode(), [parameter]
        )
        if len(value) > 6 and "sample" not in value.lower()
    }


def log_of(connection: Connection, by: Actor) -> str:
    """Everything that somebody reads of the organization's log, as one text."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            [by.caller.role, json.dumps(dict(by.caller.claims))],
        )
        row = connection.execute(
            "select coalesce((select jsonb_agg(l) from public.audit_log as l), '[]')::text"
            " || coalesce((select jsonb_agg(p) from public.audit_log_personal as p), '[]')::text"
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_who_may_not_read_customers_finds_nothing_of_theirs_anywhere_in_the_log(
    world: Connection, facts: Facts, actors: dict[str, Actor]
) -> None:
    """Generated over the list of personal columns, with whatever the venue's customers gave."""
    here = facts[NORTH]["organization"]
    listed = world.execute(
        "select relation, split_part(relation, '.', 2), column_name from private.personal_columns"
        " where relation <> 'private.email_messages'"
    ).fetchall()
    given = set()
    for relation, table, column in listed:
        given |= values(
            world,
            f"select to_jsonb(t) -> '{column}' from {relation} as t where organization_id = %s",
            here,
        )
        for image in ("before", "after"):
            said = f"select {image} -> '{column}' from public.audit_log where table_name = %s"
            assert values(world, said, table) == set(), (table, column)
    assert len(given) > 5

    masked, whole = log_of(world, actors["key:audit:read"]), log_of(world, actors["admin"])
    assert here in masked
    assert [value for value in given if value in masked] == []
    assert [value for value in given if value not in whole] == []
