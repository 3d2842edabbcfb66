"""What a function answers is no more than its caller may read, also after a change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from client import Caller, Client, Connection, Refused
from escapemaster_dev.schema.composites import Answer, Composite, Field, answers, composites
from matrix.expectations import FunctionExpectation, expectations
from matrix.world import EVERYWHERE, NORTH, Facts

_EXPECTED = expectations()
#: Fields of money and of persons, and the permissions to read them of which one is enough.
_PRIVATE = {
    re.compile(r"_cents$"): {"payments:read", "reports:read", "ledger:read"},
    re.compile(r"^(full_name|contact_name|email|phone|recipient|customer_note|staff_note)$"): {
        "customers:read",
        "users:read",
    },
}
_PRICE = "total_cents due_now_cents tax_cents unit_cents"
#: What is answered to whoever holds no more than the function takes, by function, and why.
_ANSWERED = {
    "add_notice_address": ("email", "the caller's own word"),
    "change_booking": (_PRICE, "a price: bookings and their lines have it, for bookings:read"),
    "change_booking_details": (_PRICE, "a price"),
    "change_order": (_PRICE, "a price"),
    "correct_payment": (
        "amount_cents open_cents paid_cents refunded_cents",
        "how the booking stands whose money the caller moves, by an entry under their name",
    ),
    "create_booking": (_PRICE, "a price"),
    "create_order": (_PRICE, "a price"),
    "get_board": (_PRICE, "a price"),
    "get_customer_history": (_PRICE, "a price"),
    "get_payment_link": ("payable_cents", "what the link asks for, which the caller gives away"),
    "get_waiver_signature": ("full_name", "waivers:read shows signatures"),
    "get_webhook_delivery": (
        f"{_PRICE} open_cents paid_cents refunded_cents",
        "what was sent to the program that holders of webhooks:read look after",
    ),
    "invite_member": ("email", "the caller's own word"),
    "move_bookings": ("total_cents new_total_cents", "a price"),
    "preview_move_bookings": ("total_cents new_total_cents", "a price"),
    "quote_change": (
        f"{_PRICE} open_cents difference_cents refund_cents disputed_cents",
        "what a change will cost or give back, before the caller makes it",
    ),
    "record_payment": ("amount_cents open_cents paid_cents refunded_cents", "as correct_payment"),
    "record_refund": ("amount_cents paid_cents refunded_cents", "as correct_payment"),
    "refund_booking": ("amount_cents refundable_cents", "as correct_payment"),
    "transition_booking": (_PRICE, "a price"),
    "transition_order": (_PRICE, "a price"),
    "withdraw_refund": ("amount_cents refundable_cents", "as correct_payment"),
}
#: Rows that are answered to whoever may not read their table, by function, and why.
_OWN_ROWS = {
    "create_coupon": "the caller's own word",
    "issue_voucher": "the caller's own word, and the code, which they give away",
    "set_voucher_sales": "the caller's own word",
}
#: Functions that answer rows of tables.
_ROWS = """
select 'public.' || p.proname, c.relname
from pg_catalog.pg_proc as p
join pg_catalog.pg_type as t on t.oid = p.prorettype
join pg_catalog.pg_type as e on t.oid in (e.oid, e.typarray)
join pg_catalog.pg_class as c on c.oid = e.typrelid and c.relkind = 'r'
where p.pronamespace = 'public'::regnamespace
"""
#: Sample calls that are refused to whoever holds nothing beside.
_REFUSED = {
    "change_booking_comment",
    "claim_session_as_game_master",
    "end_left_open",
    "get_join_code",
    "merge_bookings",
    "rotate_join_code",
    "transfer_ownership",
}
_FUNCTIONS = [
    name
    for name, function in _EXPECTED.functions.items()
    if "authenticated" in function.roles and not isinstance(function.needs, str)
]


@pytest.fixture(scope="module")
def promised(world: Connection) -> tuple[Mapping[str, Answer], Mapping[str, Composite]]:
    return answers(world), composites(world)


def told(types: Mapping[str, Composite], composite: str, row: Any) -> Iterator[Field]:
    """All fields that say something."""
    for field in types[composite].fields:
        value = row.get(field.name) if row is not None else None
        if field.composite in types:
            assert field.composite is not None
            for each in (value or []) if field.is_list else [value]:
                yield from told(types, field.composite, each)
        elif value not in (None, "", []):
            yield field


def is_hidden(field: Field, held: frozenset[str]) -> bool:
    """Whether it takes a permission that is not held."""
    table = field.type.removesuffix("[]").removeprefix("public.")
    if table in _EXPECTED.tables:
        return not may_read(table, held)
    return any(
        pattern.search(field.name) and not held & readers for pattern, readers in _PRIVATE.items()
    )


def may_read(table: str, held: frozenset[str]) -> bool:
    """Whether the rows of the organization are seen with these permissions."""
    readers = _EXPECTED.tables[table].needed("select")
    return readers is not None and readers <= held


def rows_of(
    world: Connection, facts: Facts, function: FunctionExpectation, *, is_list: bool
) -> list[Any]:
    """What the function answers to a member who holds what it takes, and nothing else."""
    assert not isinstance(function.needs, str)
    spare = next(key for key in sorted(_EXPECTED.permissions) if key not in function.needs)
    user = facts[EVERYWHERE][f"without:{spare}"]
    world.execute(
        "delete from public.role_permissions as p using public.memberships as m"
        " where m.user_id = %s and m.organization_id = p.organization_id"
        " and p.role_id = m.role_id and p.permission_key <> all (%s)",
        [user, sorted(function.needs)],
    )
    north = facts[NORTH]
    member = Client(world, Caller.person(user), organization=north["organization"])
    call = function.call(north)
    # A list is a set, or an array.
    rows = f"select to_jsonb(a) as row from {call} as a"
    found = [
        row["row"] for row in member.select(rows if is_list else f"select to_jsonb({call}) as row")
    ]
    return [each for row in found for each in (row if isinstance(row, list) else [row])]


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_whoever_may_call_is_told_no_more_than_they_may_read_by(
    name: str,
    world: Connection,
    facts: Facts,
    promised: tuple[Mapping[str, Answer], Mapping[str, Composite]],
) -> None:
    function, (said, types) = _EXPECTED.functions[name], promised
    assert not isinstance(function.needs, str)
    if name not in said:
        return
    plain = name.removeprefix("public.")
    with world.transaction(force_rollback=True):
        try:
            rows = rows_of(world, facts, function, is_list=said[name].is_list)
        except Refused:
            assert plain in _REFUSED
            return
    shown = {field for row in rows for field in told(types, said[name].composite, row)}
    private = {field.name for field in shown if is_hidden(field, function.needs)}
    allowed, _ = _ANSWERED.get(plain, ("", ""))
    assert private <= set(allowed.split())
    assert plain not in _REFUSED


def test_a_row_is_answered_to_whoever_may_read_its_table(world: Connection) -> None:
    """That a function takes what it is said to need, the matrix holds."""
    unreadable = set()
    for name, table in world.execute(_ROWS):
        needs = _EXPECTED.functions[name].needs
        if not isinstance(needs, str) and not may_read(table, needs):
            unreadable.add(name.removeprefix("public."))
    assert unreadable == set(_OWN_ROWS)


def test_what_is_answered_with_a_reason_is_still_a_function() -> None:
    named = (*_ANSWERED, *_OWN_ROWS, *_REFUSED)
    assert {f"public.{name}" for name in named} <= set(_FUNCTIONS)
