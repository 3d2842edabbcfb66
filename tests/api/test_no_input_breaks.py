"""No input breaks an interface: whatever a function or a table of `public` is sent, the answer is
one that a client can act on, and tells a stranger nothing of what is inside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from stack import Rest, Stack, User

#: Half a character and NUL, as only JSON's escapes can write them.
BROKEN = ["\x00", "a\x00b", "\ud800", "\udfff\ud800"]
TEXTS: list[Any] = [
    *("", " ", *BROKEN, "\u200b", "a\u202eb", "\x07", "\ufffe", "e\u0301", "𝕏" * 300),
    *("x" * 100_000, "'; drop table x; --", "%s%n%", "{{ 7*7 }}", "../../x", "$1", "\\", "\\x00"),
    *("null", "NaN", "Infinity", "-1", "1e999", "[]", "{}", "{", '"'),
    *(0, -1, 1.5, 1e308, True, [], {}, [[]], None),
]
NUMBERS: list[Any] = [
    *(0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**40, 1e308, 0.5),
    *("", "1", "x", "NaN", "Infinity", "\x00", True, [], {}, [1], None),
]
UUIDS: list[Any] = [
    *("", "x", str(uuid4()), "0" * 32, "{" + str(uuid4()) + "}", "\x00", "\ud800", "x" * 10_000),
    *(0, [], {}, True, None),
]
TIMES: list[Any] = [
    *("infinity", "-infinity", "300000-01-01", "294276-12-31T23:59:59Z", "0001-01-01", "now"),
    *("4713-01-01 BC", "4713-01-01T00:00:00Z BC", "5874897-12-31", "2026-02-30", "0000-00-00"),
    *("epoch", "tomorrow", "", "x", "2026-01-01T24:00:00+15:59", "25:00", "24:00", "-1", "\x00"),
    *(0, -1, 1e308, True, [], {}, None),
]
FLAGS: list[Any] = ["", "x", "t", "\x00", 0, 2, [], {}, True, False, None]
LISTS: list[Any] = [[], [None], [""], ["x"], ["\x00"], [["x"]], [{}], [1], "x", "{", 0, {}, None]


def deep(levels: int) -> Any:
    """A list in a list, so many times."""
    nested: Any = []
    for _ in range(levels):
        nested = [nested]
    return nested


JSONS: list[Any] = [
    *(None, [], {}, "", "x", "\x00", 0, -1, 10**40, 1e308, True, [None], [[]], [{}], deep(500)),
    *({"": ""}, {"\x00": 1}, {"full_name": {}}, {"full_name": "\x00"}, {"email": []}, {"kind": []}),
    *([{"extra_id": "x", "quantity": 1}], [{"extra_id": str(uuid4()), "quantity": 10**40}]),
    *([{"extra_id": None}], [{"kind": "terms"}], [{"kind": "marketing", "granted": "x"}]),
    *([{"kind": "marketing", "granted": True, "wording": {}}], {"es": "x"}, {"es": {}}, {"es": ""}),
    *([{"full_name": "x", "birth_year": 10**40}], [{"full_name": "x", "birth_year": 2020.5}]),
    *([{"full_name": "x", "birth_year": -2020}], ["x"] * 5_000),
]

CORPORA: Mapping[str, list[Any]] = {
    "text": TEXTS,
    "integer": NUMBERS,
    "bigint": NUMBERS,
    "numeric": [*NUMBERS, "NaN", "Infinity", "1e400", "0.1234567890123456789"],
    "uuid": UUIDS,
    "date": TIMES,
    "timestamp with time zone": TIMES,
    "time without time zone": TIMES,
    "interval": TIMES,
    "boolean": FLAGS,
    "text[]": LISTS,
    "uuid[]": LISTS,
    "integer[]": LISTS,
    "time without time zone[]": LISTS,
    "jsonb": JSONS,
}


class Corpora:
    """What is tried for each type. What the type itself refuses reaches no function and no table,
    so all of that is tried in one place of each type, and elsewhere the first alone."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._refused = {
            kind: [value for value in values if not _takes(connection, kind, value)]
            for kind, values in CORPORA.items()
        }
        self._met: set[str] = set()

    def of(self, kind: str) -> list[Any]:
        """The values to try in a place of this type."""
        if kind not in self._met:
            self._met.add(kind)
            return CORPORA[kind]
        # Compared as they are sent: to Python, 1 is true.
        left_out = {json.dumps(value) for value in self._refused[kind][1:]}
        return [value for value in CORPORA[kind] if json.dumps(value) not in left_out]


def _takes(connection: psycopg.Connection[Any], kind: str, value: Any) -> bool:
    """Whether a value of that type can be made of what is sent, as PostgREST does for any place."""
    try:
        with connection.transaction():
            connection.execute(
                f"select v is null from json_to_record(%s::json) as sent (v {kind})".encode(),
                [json.dumps({"v": value})],
            )
    except psycopg.DataError:
        return False
    return True


@pytest.fixture
def corpora(stack: Stack) -> Corpora:
    with psycopg.connect(stack.owner_dsn, autocommit=True) as connection:
        return Corpora(connection)


#: What a stranger is told nothing of.
INSIDE = re.compile(
    r"constraint|violates|relation \"|PL/pgSQL|\bprivate\.|\bselect \b|\binsert \b|\bupdate \b"
    r"|Traceback|sqlstate|psycopg|/python_api/",
)

#: They end what the others need, so they are tried last.
LAST = re.compile("close|erase|leave|transfer|remove|delete|revoke|suspend|cancel|merge|rotate")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of `public` and its parameters' types by name."""

    name: str
    for_anybody: bool
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the nonsense is said: a venue whose calendar sells, and good values by name; of
    starts_at several, of which one after the other is taken."""

    owner: Rest
    good: Mapping[str, Any]


@pytest.fixture(scope="module")
def functions(stack: Stack) -> list[Function]:
    with psycopg.connect(stack.owner_dsn) as connection:
        rows = connection.execute(
            """
            select
              p.proname,
              has_function_privilege('anon', p.oid, 'execute'),
              coalesce(
                (select jsonb_object_agg(
                    a.name, format_type((p.proargtypes::oid[])[a.position - 1], null)
                  )
                  from unnest(p.proargnames) with ordinality as a (name, position)
                  where a.position <= p.pronargs),
                '{}'
              )
            from pg_proc as p
            where p.pronamespace = 'public'::regnamespace
              and (has_function_privilege('anon', p.oid, 'execute')
                or has_function_privilege('authenticated', p.oid, 'execute'))
              and p.prorettype <> 'trigger'::regtype
            """
        ).fetchall()
    found = [Function(*row) for row in rows]
    return sorted(found, key=lambda f: (bool(LAST.search(f.name)), f.name))


@pytest.fixture(scope="module")
def place(stack: Stack, anon: Rest, make_user: Callable[..., User], as_user: Any) -> Place:
    owner: Rest = as_user(make_user())
    slug = f"nonsense-{uuid4().hex[:12]}"
    organization = owner.rpc("create_organization", name="Nonsense", slug=slug).json()
    location = owner.insert("locations", {"name": "Here", "timezone": "Europe/Madrid"}).json()[0]
    room = owner.insert(
        "rooms",
        {
            "location_id": location["id"],
            "slug": "room",
            "name": "Room",
            "price_cents": 2_500,
            "mode": "shared",
            "is_published": True,
            "waiver_policy": "optional",
            "maximum_party": 100,
        },
    ).json()[0]
    for day in range(1, 8):
        owner.insert(
            "schedules",
            {"room_id": room["id"], "weekday": day, "opens_at": "00:00", "closes_at": "00:00"},
        )
    calendar = owner.insert(
        "calendars",
        {"slug": slug, "name": "Calendar", "waitlist_minutes": 60, "holds_per_address": 100},
    ).json()[0]
    owner.insert("calendar_rooms", {"calendar_id": calendar["id"], "room_id": room["id"]})
    owner.insert("extras", {"names": {"en": "Photo"}, "price_cents": 500})
    owner.rpc("publish_waiver", organization_id=organization["id"], texts={"en": "We agree."})
    owner.rpc(
        "create_coupon", organization_id=organization["id"], code="TEN", kind="percent", value=10
    )
    tomorrow = str((datetime.now(UTC) + timedelta(2)).date())
    free = anon.rpc("get_availability", slug=slug, from_date=tomorrow, to_date=tomorrow).json()
    customer = {"full_name": "Ana", "email": "ana@example.test", "phone": "600", "locale": "en"}
    # One for strangers, who cancel it in the end, and one for the staff.
    booking, staffs = (
        anon.rpc(
            "hold_booking",
            slug=slug,
            room_id=room["id"],
            starts_at=time["starts_at"],
            party_size=2,
            customer=customer,
            expected_total_cents=5_000,
            idempotency_key=uuid4().hex,
        ).json()
        for time in free[:2]
    )
    items = [
        {"room_id": room["id"], "starts_at": time["starts_at"], "party_size": 2}
        for time in free[-3:-1]
    ]
    ordered = owner.rpc(
        "create_order",
        organization_id=organization["id"],
        items=items,
        customer=customer,
        idempotency_key=uuid4().hex,
    ).json()
    (kept,) = owner.get(
        "bookings", select="id,customer_id", reference=f"eq.{staffs['reference']}"
    ).json()
    seen = anon.rpc(
        "get_booking", reference=booking["reference"], manage_token=booking["manage_token"]
    ).json()
    (role,) = owner.get("roles", select="id", key="eq.game_master").json()
    return Place(
        owner,
        {
            "slug": slug,
            "organization_id": organization["id"],
            "location_id": location["id"],
            "room_id": room["id"],
            "room_ids": [room["id"]],
            "calendar_id": calendar["id"],
            "booking_id": kept["id"],
            "order_id": ordered["id"],
            "order_token": ordered["order_token"],
            "items": items,
            "customer_id": kept["customer_id"],
            "keep_id": kept["customer_id"],
            "merge_id": str(uuid4()),
            "role_id": role["id"],
            "reference": booking["reference"],
            "manage_token": booking["manage_token"],
            "token": seen["waiver"]["token"],
            "starts_at": [time["starts_at"] for time in free[2:]],
            "ends_at": free[-1]["starts_at"],
            "from_date": tomorrow,
            "to_date": tomorrow,
            "local_date": tomorrow,
            "day": tomorrow,
            "date": tomorrow,
            "party_size": 2,
            "customer": customer,
            "expected_total_cents": 5_000,
            "signer": {"full_name": "Ana", "email": "ana@example.test", "plays": True},
            "minors": [{"full_name": "Bea", "birth_year": datetime.now(UTC).year - 9}],
            "signature": "M0 0L1 1",
            "version": 1,
            "consents": [{"kind": "marketing", "granted": True, "wording": "Yes"}],
            "permissions": ["rooms:read"],
            "texts": {"en": "We agree."},
            "timezone": "Europe/Madrid",
            "currency": "EUR",
            "locale": "en",
            "name": "Name",
            "code": "TEN",
            "kind": "percent",
            "value": 10,
            "amount_cents": 100,
            "override_reason": "Agreed.",
            "reason": "Because it is so.",
            "email": "bea@example.test",
            "method": "cash",
            "to_status": "confirmed",
            "repeats": "none",
        },
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status_code: int
    text: str

    def json(self) -> Any:
        """The answer, read."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Sender:
    """One connection to the gateway, kept open. The standard library's: of tens of thousands of
    requests the cost is what a client does around each."""

    connection: HTTPConnection

    def send(
        self, path: str, headers: Mapping[str, str], body: Any, *, method: str = "POST"
    ) -> Answer:
        """A request whose JSON may hold what no encoding has."""
        self.connection.request(
            method,
            path,
            body=json.dumps(body).encode(),
            headers={**headers, "Content-Type": "application/json"},
        )
        response = self.connection.getresponse()
        return Answer(response.status, response.read().decode())


@pytest.fixture
def sender(stack: Stack) -> Iterator[Sender]:
    connection = HTTPConnection(urlsplit(stack.url).netloc, timeout=90)
    yield Sender(connection)
    connection.close()


def nonsense(
    function: Function, good: Mapping[str, Any], corpora: Corpora
) -> Iterator[dict[str, Any]]:
    """Calls of a function that are right but for one value, or for one inside of a value."""
    right = {name: good[name] for name in function.parameters if name in good}
    times = cycle(good["starts_at"])

    def afresh() -> dict[str, Any]:
        """A right call of its own: another attempt, at another time."""
        changing = {"idempotency_key": uuid4().hex, "starts_at": next(times)}
        return {**right, **{k: v for k, v in changing.items() if k in function.parameters}}

    yield {}
    yield afresh()
    for name, kind in function.parameters.items():
        for value in corpora.of(kind):
            yield {**afresh(), name: value}
        inner = right.get(name)
        members = inner if isinstance(inner, dict) else None
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            members = inner[0]
        for member in members or {}:
            for value in TEXTS:
                changed = {**(members or {}), member: value}
                yield {**afresh(), name: [changed] if isinstance(inner, list) else changed}


def fault_of(answer: Answer, *, for_strangers: bool) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    if answer.status_code >= 500:
        return f"{answer.status_code} {answer.text[:300]}"
    if answer.status_code >= 400:
        told = answer.json()
        words = f"{told.get('message')} {told.get('details')} {told.get('hint')}"
        if for_strangers and INSIDE.search(words):
            return f"tells what is inside: {words[:300]}"
        if str(told.get("code", "")).startswith("23"):
            return f"a raw constraint: {words[:300]}"
    return None


def test_every_type_of_a_parameter_has_its_nonsense(functions: list[Function]) -> None:
    kinds = {kind for function in functions for kind in function.parameters.values()}
    assert kinds <= CORPORA.keys()


def test_no_input_of_a_stranger_breaks_a_function_or_learns_what_is_inside(
    sender: Sender, anon: Rest, functions: list[Function], place: Place, corpora: Corpora
) -> None:
    faults = [
        f"{function.name} {str(call)[:200]}: {fault}"
        for function in functions
        if function.for_anybody
        for call in nonsense(function, place.good, corpora)
        if (fault := fault_of(
            sender.send(f"/rest/v1/rpc/{function.name}", anon.headers, call), for_strangers=True
        ))
    ]  # fmt: skip
    assert faults == []


def test_no_input_of_a_member_breaks_a_function(
    sender: Sender, functions: list[Function], place: Place, corpora: Corpora
) -> None:
    faults = [
        f"{function.name} {str(call)[:200]}: {fault}"
        for function in functions
        if not function.for_anybody
        for call in nonsense(function, place.good, corpora)
        if (fault := fault_of(
            sender.send(f"/rest/v1/rpc/{function.name}", place.owner.headers, call),
            for_strangers=False,
        ))
    ]  # fmt: skip
    assert faults == []


def test_no_value_of_a_member_breaks_a_table(
    stack: Stack, sender: Sender, place: Place, corpora: Corpora
) -> None:
    with psycopg.connect(stack.owner_dsn) as connection:
        columns = connection.execute(
            """
            select c.relname, a.attname, format_type(a.atttypid, null)
            from pg_attribute as a join pg_class as c on c.oid = a.attrelid
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0
              and (has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
                or has_column_privilege('authenticated', c.oid, a.attnum, 'update'))
            """
        ).fetchall()
    assert {kind for _, _, kind in columns} <= CORPORA.keys()
    faults = []
    for table, column, kind in columns:
        for value in corpora.of(kind):
            for method, query in (("PATCH", "?updated_at=not.is.null"), ("POST", "")):
                answer = sender.send(
                    f"/rest/v1/{table}{query}",
                    place.owner.headers,
                    {column: value},
                    method=method,
                )
                if answer.status_code >= 500:
                    said = json.dumps({column: value})[:200]
                    faults.append(f"{method} {table} {said}: {answer.text[:300]}")
    assert faults == []
