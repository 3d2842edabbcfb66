"""The same functions through PostgREST: statuses, error bodies, embedding, many clients at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from stack import Rest, Stack, User

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """A venue's owner at PostgREST, and what was arranged."""

    owner: Rest
    organization_id: str
    slug: str
    room_id: str
    starts: list[str]


def day(ahead: int) -> str:
    """A date, so many days from now."""
    return str((datetime.now(UTC) + timedelta(ahead)).date())


def made(response: httpx.Response) -> Row:
    assert response.status_code == 201, response.text
    row: Row = response.json()[0]
    return row


@pytest.fixture
def desk(anon: Rest, make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Desk:
    owner = as_user(make_user())
    slug = f"rest-{uuid4().hex[:12]}"
    organization = owner.rpc("create_organization", name=slug, slug=slug).json()
    location = made(owner.insert("locations", {"name": "Here", "timezone": "Europe/Madrid"}))
    room = made(
        owner.insert(
            "rooms",
            {
                "location_id": location["id"],
                "slug": "crypt",
                "name": "La Cripta",
                "price_cents": 2_500,
                "is_published": True,
            },
        )
    )
    week = [
        {"room_id": room["id"], "weekday": day, "opens_at": "10:00", "closes_at": "22:00"}
        for day in range(1, 8)
    ]
    assert owner.insert("schedules", week).status_code == 201
    calendar = made(owner.insert("calendars", {"slug": slug, "name": "Calendar"}))
    made(owner.insert("calendar_rooms", {"calendar_id": calendar["id"], "room_id": room["id"]}))
    free = anon.rpc(
        "get_availability",
        slug=slug,
        from_date=day(2),
        to_date=day(3),
    ).json()
    return Desk(owner, organization["id"], slug, room["id"], [slot["starts_at"] for slot in free])


def hold(anon: Rest, desk: Desk, start: str, **values: object) -> httpx.Response:
    return anon.rpc(
        "hold_booking",
        **{
            "slug": desk.slug,
            "room_id": desk.room_id,
            "starts_at": start,
            "party_size": 2,
            "customer": {"full_name": "Ana García", "email": "ana@example.test"},
            "expected_total_cents": 5_000,
            "idempotency_key": uuid4().hex,
            **values,
        },
    )


def test_a_visitor_books_and_staff_see_room_and_customer_in_one_request(
    desk: Desk, anon: Rest
) -> None:
    held = hold(anon, desk, desk.starts[0])
    assert held.status_code == 200

    page = desk.owner.get(
        "bookings", select="*,rooms(name),customers(full_name)", order="starts_at"
    )
    assert page.status_code == 200
    (booking,) = page.json()
    assert booking["reference"] == held.json()["reference"]
    assert booking["rooms"] == {"name": "La Cripta"}
    assert booking["customers"] == {"full_name": "Ana García"}


@pytest.mark.parametrize(
    ("table", "select"),
    [
        ("bookings", "sessions(starts_at,rooms(name)),booking_lines(*),booking_history(to_status)"),
        ("bookings", "calendars(slug),payments(*),refunds(*)"),
        ("sessions", "rooms(name,locations(timezone)),bookings(reference,customers(email))"),
        ("customers", "bookings(reference,rooms(name))"),
        ("rooms", "locations(name),schedules(*),schedule_exceptions(*),calendars(slug)"),
        ("rooms", "room_cancellation_tiers(*),bookings(reference),sessions(starts_at)"),
        ("calendars", "rooms(name),calendar_rooms(position),bookings(reference)"),
        ("locations", "rooms(name),schedule_exceptions(date)"),
    ],
)
def test_related_rows_embed_without_naming_a_foreign_key(
    desk: Desk, anon: Rest, table: str, select: str
) -> None:
    hold(anon, desk, desk.starts[0])
    answer = desk.owner.get(table, select=select)
    assert answer.status_code == 200, answer.text
    assert answer.json()


@pytest.mark.parametrize(
    ("values", "status", "code", "details"),
    [
        ({"slug": "nowhere"}, 404, "calendar_not_found", None),
        ({"room_id": str(uuid4())}, 404, "room_not_found", None),
        ({"party_size": 9}, 422, "party_size_invalid", {"minimum": 2, "maximum": 6}),
        ({"starts_at": "2020-01-01T10:00:00Z"}, 422, "slot_in_past", None),
        ({"expected_total_cents": 1}, 409, "total_changed", {"total_cents": 5_000}),
        ({"customer": {"full_name": "Ana"}}, 422, "customer_invalid", {"field": "email"}),
        ({"idempotency_key": ""}, 422, "idempotency_key_invalid", None),
    ],
)
def test_a_refusal_is_a_status_a_code_and_what_to_do(
    desk: Desk, anon: Rest, values: Row, status: int, code: str, details: Row | None
) -> None:
    refusal = hold(anon, desk, desk.starts[0], **values)
    body = refusal.json()
    assert (refusal.status_code, body["code"], body["message"]) == (status, f"PT{status}", code)
    assert body["hint"]
    assert (json.loads(body["details"]) if body["details"] else None) == details


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"starts_at": "tomorrow at noon-ish"}, 400),
        ({"room_id": "crypt"}, 400),
        ({"party_size": "two"}, 400),
        ({"party_size": 10**12}, 400),
        ({"unknown": 1}, 404),
    ],
)
def test_malformed_input_is_a_client_error(
    desk: Desk, anon: Rest, values: Row, status: int
) -> None:
    assert hold(anon, desk, desk.starts[0], **values).status_code == status
    assert desk.owner.get("bookings", select="id").json() == []


def test_a_function_that_counts_its_callers_is_posted_to(desk: Desk, anon: Rest) -> None:
    answer = anon.get("rpc/get_calendar", slug=desk.slug)
    assert (answer.status_code, answer.json()["message"]) == (405, "post_required")
    assert anon.rpc("get_calendar", slug=desk.slug).json()["slug"] == desk.slug


def test_free_times_can_be_filtered_and_cut_like_a_table(desk: Desk, anon: Rest) -> None:
    first = anon.request(
        "POST",
        "rpc/get_availability",
        params={"select": "starts_at,price_cents", "limit": "1"},
        json={"slug": desk.slug, "from_date": day(2), "to_date": day(3)},
    )
    assert first.json() == [{"starts_at": desk.starts[0], "price_cents": 5_000}]


def test_24_clients_want_one_place_and_one_gets_it(desk: Desk, anon: Rest) -> None:
    with ThreadPoolExecutor(24) as clients:
        for start in desk.starts[:5]:
            answers = list(clients.map(lambda _, at=start: hold(anon, desk, at), range(24)))
            assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 23}
            refusals = {a.json()["message"] for a in answers if a.status_code == 409}
            assert refusals == {"slot_taken"}


def test_the_client_notices_a_refusal_that_is_not_listed(stack: Stack) -> None:
    def refusing(code: str) -> Rest:
        told = {"code": "PT409", "message": code, "hint": "", "details": ""}
        transport = httpx.MockTransport(lambda _: httpx.Response(409, json=told))
        return Rest(httpx.Client(transport=transport, base_url=stack.url), {})

    assert refusing("calendar_not_found").rpc("get_calendar").status_code == 409
    assert refusing("duplicate key value").rpc("get_calendar").status_code == 409
    with pytest.raises(AssertionError, match="get_calendar refused with slot_taken"):
        refusing("slot_taken").rpc("get_calendar")
