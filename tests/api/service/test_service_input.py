"""No body breaks a route of the service: nonsense is answered with 4xx, readable and typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escapemaster.api.bodies import Body

from .fakes import FakePostgrest

KEY = {"api_key": "esk_a-secret-of-a-key"}
ORDER = {"reference": "ABCD-2345", "manage_token": "x", "return_url": None}

#: Any JSON there is, with what only its escapes can write.
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None) | st.sampled_from("\x00\ud800\udfff\u202e\u200b"))
)
NONSENSE = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


async def post(client: httpx.AsyncClient, path: str, body: bytes) -> httpx.Response:
    return await client.post(path, content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize("broken", ["\x00", "a\x00", "\ud800", "\udfffx"])
@pytest.mark.parametrize(
    ("path", "right", "field"),
    [
        ("/v1/token", KEY, "api_key"),
        ("/v1/checkout", ORDER, "reference"),
        ("/v1/checkout", ORDER, "manage_token"),
        ("/v1/checkout", ORDER, "return_url"),
    ],
)
async def test_a_text_that_cannot_be_kept_is_refused_with_its_field(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    path: str,
    right: dict[str, Any],
    field: str,
    broken: str,
) -> None:
    answer = await post(client, path, json.dumps({**right, field: broken}).encode())
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        (f"body.{field}", "text_invalid")
    ]
    assert postgrest.calls == []


async def test_a_member_that_cannot_be_written_is_refused(client: httpx.AsyncClient) -> None:
    answer = await post(client, "/v1/token", json.dumps({**KEY, "x\ud800": 1}).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("code", ["22P05", "22021"])
async def test_what_the_database_cannot_keep_is_the_callers_mistake(
    client: httpx.AsyncClient, postgrest: FakePostgrest, code: str
) -> None:
    postgrest.refuse("exchange_api_key", code, "unsupported Unicode escape sequence")
    answer = await client.post("/v1/token", json=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert "Unicode" not in answer.text


async def test_every_body_is_one_that_refuses_such_texts(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    bodies = {
        reference.rpartition("/")[2]
        for path in described["paths"].values()
        for operation in path.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if (reference := content["schema"].get("$ref"))
    }
    assert bodies and bodies <= {body.__name__ for body in _kinds_of(Body)}


def _kinds_of(body: type[Body]) -> Iterator[type[Body]]:
    for kind in body.__subclasses__():
        yield kind
        yield from _kinds_of(kind)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"{",
        b"nul",
        b"NaN",
        b"Infinity",
        b"[" * 100_000,
        b'{"api_key":' * 20_000,
        b"9" * 10_000,
        b'"' + b"x" * 400_000 + b'"',
        b'{"api_key": NaN}',
        b'{"api_key": 1e999}',
        b'{"api_key": {"api_key": []}}',
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("path", ["/v1/token", "/v1/checkout", "/v1/email-templates/preview"])
async def test_what_is_no_body_at_all_is_refused(
    client: httpx.AsyncClient, path: str, body: bytes
) -> None:
    answer = await post(client, path, body)
    assert answer.status_code in (400, 401, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=50,
)
@given(nonsense=NONSENSE)
@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/v1/token", KEY),
        ("/v1/checkout", ORDER),
        ("/v1/email-templates/preview", {"template": "invitation", "locale": "es"}),
        ("/webhooks/stripe", {}),
        ("/webhooks/resend", {}),
    ],
)
async def test_no_json_breaks_a_route(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    path: str,
    right: dict[str, Any],
    nonsense: object,
) -> None:
    postgrest.refuse("exchange_api_key", "PT401", "api_key_invalid", hint="Check it.")
    postgrest.answer("limit_checkouts", None)
    postgrest.refuse("open_checkout", "PT404", "booking_not_found", hint="Check it.")
    for body in (nonsense, *({**right, member: nonsense} for member in right)):
        answer = await post(client, path, json.dumps(body).encode())
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["code"]
