"""What a client is told when the database gives a statement up: that nothing was done, and that it
may ask again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from stack import Rest, Stack, User
from venues import Venue, answer, open_venue


@contextmanager
def _held(stack: Stack, table: str, row_id: str) -> Iterator[None]:
    """Somebody else is at a row, for longer than any statement may take."""
    with psycopg.connect(stack.owner_dsn) as other:
        other.execute(f"select from public.{table} where id = %s for update", [row_id])
        yield
        other.rollback()


def _holding(anon: Rest, venue: Venue, slot: dict[str, Any]) -> Callable[[], httpx.Response]:
    wish = {
        "slug": venue.calendar,
        "room_id": slot["room_id"],
        "starts_at": slot["starts_at"],
        "party_size": 2,
        "customer": {"full_name": "Ana", "email": "ana@example.test", "locale": "en"},
        "expected_total_cents": slot["price_cents"],
        "idempotency_key": uuid4().hex,
    }
    return lambda: anon.rpc("hold_booking", **wish)


def test_a_visitor_who_waits_for_too_long_may_ask_again_with_the_same_key(
    stack: Stack, anon: Rest, make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> None:
    venue = open_venue(make_user, as_user)
    day = str((datetime.now(UTC) + timedelta(days=2)).date())
    free = answer(anon.rpc("get_availability", slug=venue.calendar, from_date=day, to_date=day))
    booked = answer(_holding(anon, venue, free[0])())
    key = {"reference": booked["reference"], "manage_token": booked["manage_token"]}
    (booking,) = answer(
        venue.owner.get("bookings", select="id,room_id", reference=f"eq.{key['reference']}")
    )
    hold = _holding(anon, venue, free[1])
    asked = [hold, lambda: anon.rpc("cancel_booking", **key)]
    with (
        _held(stack, "rooms", booking["room_id"]),
        _held(stack, "bookings", booking["id"]),
        ThreadPoolExecutor(len(asked)) as pool,
    ):
        given_up = list(pool.map(lambda ask: ask(), asked))
    for told in given_up:
        assert (told.status_code, told.json()["message"]) == (503, "unavailable"), told.text
        assert told.json()["code"] == "PT503"
        assert told.headers["retry-after"] == "1"
    assert answer(hold())["reference"] != key["reference"]
    assert answer(anon.rpc("cancel_booking", **key))["status"] in {"cancelled", "expired"}


def test_staff_who_write_to_a_table_are_told_by_the_code(
    stack: Stack, make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> None:
    """PostgREST answers 500 here, whatever we do; docs/operation.md says what it means."""
    venue = open_venue(make_user, as_user)
    (room_id,) = venue.rooms.values()
    with _held(stack, "rooms", room_id):
        told = venue.owner.update("rooms", {"name": "Elsewhere"}, id=f"eq.{room_id}")
    assert (told.status_code, told.json()["code"]) == (500, "57014")
    assert answer(venue.owner.update("rooms", {"name": "Elsewhere"}, id=f"eq.{room_id}"))
