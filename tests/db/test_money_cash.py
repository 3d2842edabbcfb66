"""Cash days: what the desk took from one closing to the next, and what was counted."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from client import Client, Refused
from db.invariants import broken_ledger
from db.money_world import Booking, Database, Venue, make_venue, member


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


def location(venue: Venue) -> str:
    return str(venue.owner.select("select id::text from public.locations")[0]["id"])


def take(venue: Venue, by: Client, booking: Booking, cents: int, method: str = "cash") -> str:
    return str(
        by.call(
            "record_payment",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            method=method,
            amount_cents=cents,
            idempotency_key=str(uuid.uuid4()),
        )["payment_id"]
    )


def open_day(venue: Venue, **values: object) -> dict[str, Any]:
    opened: dict[str, Any] = venue.owner.call(
        "open_cash_day",
        organization_id=venue.organization_id,
        location_id=location(venue),
        **values,
    )
    return opened


def close(venue: Venue, day: dict[str, Any], cash: int | None, **values: object) -> dict[str, Any]:
    closed: dict[str, Any] = venue.owner.call(
        "close_cash_day",
        organization_id=venue.organization_id,
        cash_day_id=day["cash_day_id"],
        cash_cents=cash,
        **values,
    )
    return closed


def counts(day: dict[str, Any]) -> dict[str, tuple[object, ...]]:
    return {
        row["method"]: (
            row["taken_cents"],
            row["expected_cents"],
            row["counted_cents"],
            row["difference_cents"],
        )
        for row in day["counts"]
    }


def test_a_cash_day_is_one_s_own(venue: Venue) -> None:
    day = open_day(venue, float_cents=0)
    other = make_venue(venue.database)
    for call in (
        lambda: close(other, day, 0),
        lambda: other.owner.call(
            "get_cash_day",
            organization_id=other.organization_id,
            cash_day_id=day["cash_day_id"],
        ),
    ):
        with pytest.raises(Refused, match="cash_day_not_found"):
            call()


def test_a_closing_says_what_was_taken_by_whom_and_what_is_missing(venue: Venue) -> None:
    clerk = member(venue, "receptionist")
    booking, other = venue.hold(), venue.hold()
    take(venue, clerk, booking, 900)  # before there were cash days
    before = take(venue, clerk, booking, 100)
    day = open_day(venue, float_cents=5_000)
    venue.owner.call(
        "correct_payment", organization_id=venue.organization_id, payment_id=before, reason="Twice"
    )
    assert open_day(venue, float_cents=1)["cash_day_id"] == day["cash_day_id"], "one at a time"
    take(venue, clerk, booking, 2_000)
    wrong = take(venue, venue.owner, other, 3_000)
    take(venue, clerk, other, 1_500, "bizum")
    venue.owner.call(
        "correct_payment",
        organization_id=venue.organization_id,
        payment_id=wrong,
        reason="Another's",
    )
    late = take(venue, venue.owner, other, 400)
    expected = {
        "cash": (2_400, 7_400, None, None),
        "card_terminal": (0, 0, None, None),
        "transfer": (0, 0, None, None),
        "bizum": (1_500, 1_500, None, None),
    }
    shown = clerk.call(
        "get_cash_day", organization_id=venue.organization_id, cash_day_id=day["cash_day_id"]
    )
    assert counts(shown) == expected

    closed = close(venue, day, 7_350, card_terminal_cents=10)
    assert counts(closed) == {
        **expected,
        "cash": (2_400, 7_400, 7_350, -50),
        "card_terminal": (0, 0, 10, 10),
    }
    [cash] = [row for row in closed["counts"] if row["method"] == "cash"]
    assert {row["actor_id"]: row["amount_cents"] for row in cash["persons"]} == {
        clerk.id: 2_000,
        venue.owner.id: 400,
    }
    assert broken_ledger(venue.database.all, venue.organization_id) == {}
    assert venue.database.one(
        "select amount_cents from public.ledger_entries where organization_id = %s"
        " and (debit, credit) = ('cash_differences', 'cash_drawer')",
        venue.organization_id,
    ) == 50  # fmt: skip

    # What comes later is in the next day, a counter-entry of something in this one too.
    with pytest.raises(Refused) as refusal:
        close(venue, day, 1)
    assert refusal.value.code == "cash_day_closed"
    for statement in (
        "update public.cash_days set counted_cash_cents = 7400 where id = %s",
        "delete from public.cash_days where id = %s",
        "update public.cash_day_lines set amount_cents = 1 where cash_day_id = %s",
        "delete from public.cash_day_lines where cash_day_id = %s",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            venue.database.run(statement, day["cash_day_id"])
    venue.owner.call(
        "correct_payment", organization_id=venue.organization_id, payment_id=late, reason="Twice"
    )
    following = open_day(venue)
    assert following["float_cents"] == 7_350, "what was counted last"
    assert counts(following)["cash"] == (-400, 6_950, None, None)
    again = venue.owner.call(
        "get_cash_day", organization_id=venue.organization_id, cash_day_id=day["cash_day_id"]
    )
    assert again == closed


@pytest.mark.parametrize("cash", [None, -1])
def test_what_was_not_counted_closes_nothing(venue: Venue, cash: int | None) -> None:
    day = open_day(venue)
    with pytest.raises(Refused) as refusal:
        close(venue, day, cash)
    assert refusal.value.code == "amount_invalid"


def test_of_closings_at_once_one_closes_and_every_entry_is_in_one_day(venue: Venue) -> None:
    day = open_day(venue)
    bookings = [venue.hold() for _ in range(3)]
    asked = {"organization_id": venue.organization_id, "cash_day_id": day["cash_day_id"]}
    with venue.database.clients(*[venue.owner.caller] * 6) as clients:

        def close_it(client: Client) -> str:
            try:
                client.call("close_cash_day", **asked, cash_cents=0)
            except Refused as refused:
                return refused.code
            return "closed"

        with ThreadPoolExecutor(6) as pool:
            closings = [pool.submit(close_it, client) for client in clients[:3]]
            takings = [
                pool.submit(take, venue, client, booking, 700)
                for client, booking in zip(clients[3:], bookings, strict=True)
            ]
            ended = sorted(one.result() for one in closings)
            taken = {one.result() for one in takings}
    assert ended == ["cash_day_closed", "cash_day_closed", "closed"]
    close(venue, open_day(venue), 2_100)
    lines = venue.database.all(
        "select payment_id::text, cash_day_id from public.cash_day_lines"
        " where organization_id = %s",
        venue.organization_id,
    )
    assert sorted(row["payment_id"] for row in lines) == sorted(taken), "each once"
    assert broken_ledger(venue.database.all, venue.organization_id) == {}
