"""Input that nobody foresaw: it is refused in words, and never a fault of the server."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import psycopg

from siege.ground import Ground, address, hold_true, message
from venues import answer

_NASTY: tuple[Any, ...] = (
    "",
    " ",
    "\u200b",
    "a\nb",
    "\x07",
    "'; drop table bookings; --",
    "{{ 7*7 }}",
    "<script>alert(1)</script>",
    "x" * 100_000,
    "\u202egnp.exe",
    0,
    -1,
    2**31,
    2**63,
    1e308,
    True,
    [],
    {},
    [[[[[[]]]]]],
    None,
    "infinity",
    "300000-01-01",
    "0001-01-01 BC",
    "not-a-uuid",
)
#: What JSON can say and PostgreSQL's text cannot hold.
_RAW = (r"\u0000", r"\ud800", r"a\u0000b")


def no_input_to_a_public_function_is_a_fault(ground: Ground) -> None:
    """Each argument of each function that a visitor may call takes each nasty value."""
    _try_all(ground, ground.visitor(), "without an account")


def no_input_of_a_member_is_a_fault(ground: Ground) -> None:
    """The same for whoever has signed in and owns a venue."""
    user = ground.user()
    _try_all(ground, ground.as_user(user), "signed in")


def no_input_to_the_service_is_a_fault(ground: Ground) -> None:
    """Each route of the service takes nasty bodies."""
    api = ground.api()
    described = answer(api.get("/openapi.json"))
    before = len(ground.tally.server_errors)
    for path, methods in described["paths"].items():
        for method in methods:
            for raw in _RAW:
                body = f'{{"api_key": "{raw}", "reference": "{raw}", "manage_token": "{raw}"}}'
                api.request(
                    method.upper(),
                    path.replace("{", "").replace("}", ""),
                    content=body,
                    headers={"Content-Type": "application/json", "Authorization": "Bearer x.y.z"},
                )
            for value in _NASTY[:12]:
                api.request(
                    method.upper(),
                    path.replace("{", "").replace("}", ""),
                    content=json.dumps({"api_key": value, "reference": value, "template": value}),
                    headers={"Content-Type": "application/json"},
                )
    _no_new_faults(ground, before)


def addresses_that_cannot_receive_are_refused(ground: Ground) -> None:
    """A booking is confirmed only to an address that mail can be sent to."""
    slot = ground.times()[41]
    for email in (
        "a@[127.0.0.1]",
        "a..b@example.test",
        ".a@example.test",
        "a.@example.test",
        "a\u200b@example.test",
        "mailto:a@example.test",
        "a@exa_mple.test",
        "a@example.test,",
        "a@example.test;",
        f"{'a' * 65}@example.test",
        f"a@{'b' * 64}.test",
    ):
        held = ground.hold(ground.visitor(), slot, email)
        hold_true(
            message(held) == "customer_invalid",
            f"{email!r}: {held.status_code} {held.text[:120]}",
        )


def names_are_names(ground: Ground) -> None:
    """Nobody's name carries a link, a line break or nothing at all."""
    slot = ground.times()[42]
    for name in (
        "Visit https://evil.test now",
        "www.evil.test",
        "Ana\nBcc: victim@example.test",
        "\u200b\u200b",
        "\u3164",
        "\u2800",
        "Ana\u202eanA",
    ):
        held = ground.visitor().rpc(
            "hold_booking",
            slug=ground.north.calendar,
            room_id=slot["room_id"],
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": name, "email": address("named")},
            expected_total_cents=slot["price_cents"],
            idempotency_key=uuid4().hex,
        )
        hold_true(message(held) == "customer_invalid", f"{name!r}: {held.status_code}")
    for name in ("Casa\nNorte", "\u200b", "Ca\u0085sa"):
        made = ground.as_user(ground.user()).rpc("create_organization", name=name)
        hold_true(not made.is_success, f"an organization named {name!r}")


def a_burner_burns_only_its_own_limit(ground: Ground) -> None:
    """A venue cannot define so much that an anonymous question becomes dear, and refusals count."""
    room = ground.south.rooms["la-cripta"]
    windows = [
        {
            "room_id": room,
            "weekday": 1 + n % 7,
            "opens_at": f"{10 + n % 10:02d}:{n % 60:02d}",
            "closes_at": "23:30",
        }
        for n in range(2520)
    ]
    made = ground.south.owner.insert("schedules", windows)
    hold_true(not made.is_success, "2,520 overlapping windows of one room were taken")
    visitor = ground.visitor()
    for _ in range(4000):
        told = visitor.rpc("get_booking", reference="AAAAAA", manage_token=uuid4().hex)
        if told.status_code == 429:
            return
    hold_true(False, "4,000 refused requests of one address were never counted")


def _try_all(ground: Ground, caller: Any, who: str) -> None:
    before = len(ground.tally.server_errors)
    role = "anon" if who == "without an account" else "authenticated"
    functions = _functions(ground, role)
    hold_true(len(functions) > 10, f"only {len(functions)} functions for {role}")
    for function, parameters in functions:
        for name in parameters:
            good = {other: _plain(shape) for other, shape in parameters.items() if other != name}
            for value in _NASTY:
                told = caller.request("POST", f"rpc/{function}", json={**good, name: value})
                hold_true(
                    "private." not in told.text or told.status_code not in {400, 500},
                    f"{function} tells {who}: {told.text[:160]}",
                )
                if told.status_code == 429:
                    break
            for raw in _RAW:
                rest = json.dumps(good)[1:-1]
                body = f'{{"{name}": "{raw}"{", " if rest else ""}{rest}}}'
                caller.request(
                    "POST",
                    f"rpc/{function}",
                    content=body,
                    headers={"Content-Type": "application/json"},
                )
    _no_new_faults(ground, before)


def _functions(ground: Ground, role: str) -> list[tuple[str, dict[str, str]]]:
    """What the role may call, with the types of the arguments: PostgREST describes it to nobody."""
    with psycopg.connect(ground.stack.owner_dsn) as connection:
        return connection.execute(
            """
            select p.proname, coalesce(
              (
                select jsonb_object_agg(a.name, format_type(a.type, null))
                from unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) as a (name, type)
              ),
              '{}'
            )
            from pg_proc as p
            where p.pronamespace = 'public'::regnamespace
              and has_function_privilege(%s, p.oid, 'execute')
            order by p.proname
            """,
            [role],
        ).fetchall()


def _plain(shape: str) -> Any:
    """A value that the type takes and that names nothing."""
    if shape.endswith("[]"):
        return []
    return {
        "smallint": 2,
        "integer": 2,
        "bigint": 2,
        "boolean": False,
        "uuid": str(uuid4()),
        "date": "2030-01-01",
        "timestamp with time zone": "2030-01-01T10:00:00Z",
        "jsonb": {},
    }.get(shape, "x")


def _no_new_faults(ground: Ground, before: int) -> None:
    faults = ground.tally.server_errors[before:]
    hold_true(not faults, f"{len(faults)} faults, the first: {faults[0] if faults else ''}")
