"""Tenancy through the gateway, as a client sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from stack import Rest, Stack, User, in_one_hour, wait_until

AsUser = Callable[..., Rest]
MakeUser = Callable[..., User]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def venue(owner: User, as_user: AsUser) -> str:
    created = as_user(owner).rpc("create_organization", name=f"Venue {uuid4().hex[:8]}")
    assert created.status_code == 200, created.text
    return str(created.json()["id"])


def test_a_refusal_is_a_status_a_code_and_what_to_do(
    venue: str, make_user: MakeUser, as_user: AsUser
) -> None:
    answer = as_user(make_user()).rpc("get_join_code", organization_id=venue)
    assert answer.status_code == 403
    body = answer.json()
    assert (body["code"], body["message"]) == ("PT403", "permission_denied")
    assert body["hint"]
    assert body["details"] == '{"permission": "users:manage"}'


def test_wrong_join_codes_are_counted_although_they_are_refused_and_then_the_answer_is_429(
    venue: str, make_user: MakeUser, as_user: AsUser
) -> None:
    def guessed() -> httpx.Response:
        guesser = as_user(make_user())
        for _ in range(10):
            refused = guesser.rpc("join_organization", code="WRONG")
            assert refused.status_code == 404
            assert refused.json()["message"] == "join_code_not_found"
        limited = guesser.rpc("join_organization", code="WRONG")
        assert limited.status_code == 429
        return limited

    limited = in_one_hour(guessed)

    body = limited.json()
    assert (body["code"], body["message"]) == ("PT429", "rate_limited")
    assert 1 <= int(limited.headers["Retry-After"]) <= 3600
    assert body["details"] == f'{{"retry_after_seconds": {limited.headers["Retry-After"]}}}'


def test_two_tabs_work_in_two_organizations_with_one_token(
    owner: User, venue: str, as_user: AsUser
) -> None:
    other = as_user(owner).rpc("create_organization", name=f"Other {uuid4().hex[:8]}").json()["id"]
    for organization in (venue, other):
        seen = as_user(owner, organization).get("organizations", select="id")
        assert seen.json() == [{"id": organization}]
    assert as_user(owner).get("organizations", select="id").json() == [{"id": other}]


def test_a_header_for_a_stranger_s_organization_shows_nothing(
    venue: str, make_user: MakeUser, as_user: AsUser
) -> None:
    stranger = as_user(make_user(), venue)
    for table in ("organizations", "memberships", "roles", "audit_log"):
        answer = stranger.request("GET", f"{table}?select=*", headers={"Prefer": "count=exact"})
        assert answer.json() == []
        assert answer.headers["Content-Range"] == "*/0"


def test_a_header_that_is_no_organization_is_refused(owner: User, as_user: AsUser) -> None:
    answer = as_user(owner, "nonsense").get("organizations", select="id")
    assert (answer.status_code, answer.json()["message"]) == (400, "organization_header_invalid")


def test_a_revocation_acts_on_the_next_request_with_the_same_token(
    owner: User, venue: str, make_user: MakeUser, as_user: AsUser
) -> None:
    boss, member = as_user(owner), make_user()
    code = boss.rpc("rotate_join_code", organization_id=venue).json()["code"]
    client = as_user(member)
    assert client.rpc("join_organization", code=code).status_code == 200
    assert client.get("memberships", select="id").json() != []

    assert boss.rpc("suspend_member", organization_id=venue, user_id=member.id).status_code == 200
    assert client.get("memberships", select="id").json() == []
    boss.rpc("reactivate_member", organization_id=venue, user_id=member.id)
    assert client.get("memberships", select="id").json() != []
    removed = boss.rpc("remove_member", organization_id=venue, user_id=member.id)
    assert (removed.status_code, removed.json()) == (200, [])
    assert client.get("memberships", select="id").json() == []


def test_an_api_key_s_token_is_worth_nothing_once_the_key_is_revoked(
    owner: User, venue: str, as_user: AsUser, service: Rest, stack: Stack, gateway: httpx.Client
) -> None:
    boss = as_user(owner)
    made = boss.rpc(
        "create_api_key", organization_id=venue, name="Till", permissions=["users:read"]
    ).json()
    exchanged = service.rpc("exchange_api_key", secret=made["secret"], address="x").json()
    now = int(time.time())
    token = jwt.encode(
        {
            "sub": exchanged["api_key_id"],
            "api_key_id": exchanged["api_key_id"],
            "organization_id": exchanged["organization_id"],
            "role": "authenticated",
            "aud": "authenticated",
            "iat": now,
            "exp": now + 300,
        },
        stack.jwt_secret,
        "HS256",
    )
    key = Rest(gateway, {"apikey": stack.publishable_key, "Authorization": f"Bearer {token}"})

    assert len(key.get("memberships", select="id").json()) == 1
    assert key.get("roles", select="id").json() == []
    assert key.rpc("my_context").json()["message"] == "user_required"
    boss.rpc("revoke_api_key", organization_id=venue, api_key_id=made["id"])
    assert key.get("memberships", select="id").json() == []
    refused = service.rpc("exchange_api_key", secret=made["secret"], address="x")
    assert (refused.status_code, refused.json()["message"]) == (401, "api_key_invalid")


def test_nobody_without_an_account_reads_a_table_or_calls_what_is_for_members(
    venue: str, anon: Rest
) -> None:
    for table in ("organizations", "profiles", "memberships", "permissions", "audit_log"):
        answer = anon.get(table, select="*")
        assert (answer.status_code, answer.json()["code"]) == (401, "42501")
    assert anon.rpc("my_context").status_code == 401


def test_the_secret_key_reads_no_table(
    venue: str, stack: Stack, gateway: httpx.Client, service: Rest
) -> None:
    # Schema service holds functions only, and the tables of public are not the service's.
    reader = Rest(gateway, {"apikey": stack.secret_key})
    for table in ("organizations", "memberships", "bookings", "customers"):
        answer = reader.get(table, select="*")
        assert (answer.status_code, answer.json()["code"]) == (403, "42501")
        assert service.get(table, select="*").status_code == 404


def test_the_private_schema_is_not_there_for_anybody(
    owner: User, as_user: AsUser, venue: str
) -> None:
    client = as_user(owner)
    for schema in ("private", "auth", "service"):
        answer = client.request("GET", "organizations", headers={"Accept-Profile": schema})
        body: dict[str, Any] = answer.json()
        assert answer.status_code in (403, 406), body


def test_no_request_that_starts_after_a_revocation_was_answered_is_let_through(
    owner: User, venue: str, make_user: MakeUser, as_user: AsUser
) -> None:
    boss, member = as_user(owner), make_user()
    code = boss.rpc("rotate_join_code", organization_id=venue).json()["code"]
    client = as_user(member)
    assert client.rpc("join_organization", code=code).status_code == 200
    seen: list[tuple[float, float, bool]] = []
    over = threading.Event()

    def read_on() -> None:
        while not over.is_set():
            started = time.monotonic()
            let_through = client.get("memberships", select="id").json() != []
            seen.append((started, time.monotonic(), let_through))

    def somebody_asked_after(moment: float) -> bool:
        return any(started > moment for started, _, _ in list(seen))

    revoked: list[tuple[float, float]] = []
    with ThreadPoolExecutor(4) as readers:
        reading = [readers.submit(read_on) for _ in range(4)]
        try:
            for _ in range(10):
                boss.rpc("suspend_member", organization_id=venue, user_id=member.id)
                answered = time.monotonic()
                wait_until(partial(somebody_asked_after, answered))
                revoked.append((answered, time.monotonic()))
                boss.rpc("reactivate_member", organization_id=venue, user_id=member.id)
        finally:
            over.set()
    for reader in reading:
        reader.result()

    meanwhile = [
        let_through
        for started, ended, let_through in seen
        if any(since < started and ended < until for since, until in revoked)
    ]
    assert len(meanwhile) >= len(revoked)
    assert not any(meanwhile)
    assert any(let_through for _, _, let_through in seen)
