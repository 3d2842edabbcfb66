"""Storage and refusals: what a policy raised would be a 500 there, here and on hosted projects, so
it answers as it does to a stranger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import uuid4

import httpx
import psycopg
import pytest

from stack import Rest, Stack, User
from venues import answer

BUCKETS = ("documents", "team-photos", "room-images", "logos", "exports")
#: Where Storage says what became of a request, whatever the HTTP status.
Told = tuple[int, object]


def _everything_asked(http: httpx.Client, headers: Mapping[str, str], folder: str) -> list[Told]:
    """Every kind of request about files of a folder."""
    told = []
    for bucket in BUCKETS:
        path = f"{bucket}/{folder}/a.png"
        for method, place, options in (
            ("POST", f"object/{path}", {"content": b"x"}),
            ("PUT", f"object/{path}", {"content": b"y"}),
            ("GET", f"object/{path}", {}),
            ("POST", f"object/sign/{path}", {"json": {"expiresIn": 60}}),
            ("POST", f"object/list/{bucket}", {"json": {"prefix": folder}}),
            ("DELETE", f"object/{path}", {}),
            ("DELETE", f"object/{bucket}", {"json": {"prefixes": [f"{folder}/a.png"]}}),
        ):
            kind = {"Content-Type": "image/png"} if "content" in options else {}
            found = http.request(
                method, f"/storage/v1/{place}", headers={**headers, **kind}, **options
            )
            is_file = method == "GET" and found.is_success
            told.append((found.status_code, found.content if is_file else found.json()))
    return told


@pytest.fixture
def stranger(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Rest:
    return as_user(make_user())


@pytest.fixture
def owned(
    make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> Callable[[], tuple[User, Rest, str]]:
    """A user, the user's client, and the id of an organization of theirs."""

    def make() -> tuple[User, Rest, str]:
        user = make_user()
        rest = as_user(user)
        made = answer(
            rest.rpc("create_organization", name="Files", slug=f"files-{uuid4().hex[:10]}")
        )
        return user, rest, made["id"]

    return make


def test_a_session_that_was_ended_is_nobody_to_storage_and_401_to_everybody_else(
    stack: Stack,
    gateway: httpx.Client,
    owned: Callable[[], tuple[User, Rest, str]],
    stranger: Rest,
) -> None:
    user, rest, organization_id = owned()
    with psycopg.connect(stack.owner_dsn) as connection:
        # As when the link of a mail comes back (tests/e2e/test_proven_addresses.py).
        connection.execute(
            "select private.prove_address(%s, %s, 'mail', true)", [user.id, f"new-{user.email}"]
        )
    refused = [
        rest.rpc("my_context"),
        rest.get("rooms"),
        httpx.post(
            f"{stack.api_url}/v1/email-templates/preview",
            headers={"Authorization": rest.headers["Authorization"]},
            json={},
        ),
    ]
    for found in refused:
        told = found.json()
        assert (found.status_code, told.get("code"), told.get("message")) in {
            (401, "PT401", "session_ended"),
            (401, "session_ended", None),
        }, found.text
    theirs = _everything_asked(gateway, rest.headers, organization_id)
    assert theirs == _everything_asked(gateway, stranger.headers, organization_id)
    assert max(status for status, _ in theirs) < 500


def test_a_suspended_organization_s_files_are_read_and_not_written(
    stack: Stack,
    gateway: httpx.Client,
    owned: Callable[[], tuple[User, Rest, str]],
    stranger: Rest,
) -> None:
    _, rest, organization_id = owned()
    path = f"/storage/v1/object/documents/{organization_id}/kept.txt"
    kind = {"Content-Type": "text/plain"}
    made = gateway.post(path, headers={**rest.headers, **kind}, content=b"kept")
    assert made.status_code == 200, made.text
    with psycopg.connect(stack.owner_dsn) as connection:
        connection.execute(
            "update public.organizations set status = 'suspended' where id = %s", [organization_id]
        )

    theirs = _everything_asked(gateway, rest.headers, organization_id)
    assert max(status for status, _ in theirs) < 500
    written = gateway.put(path, headers={**rest.headers, **kind}, content=b"changed")
    refused = gateway.put(path, headers={**stranger.headers, **kind}, content=b"changed")
    assert (written.status_code, written.json()) == (refused.status_code, refused.json())
    read = gateway.get(path, headers=rest.headers)
    assert (read.status_code, read.content) == (200, b"kept")


@pytest.mark.parametrize("header", ["x", "", "00000000"])
def test_an_organization_that_storage_cannot_read_is_none(
    gateway: httpx.Client, owned: Callable[[], tuple[User, Rest, str]], header: str
) -> None:
    _, rest, organization_id = owned()
    headers = {**rest.headers, "x-organization-id": header}
    asked = _everything_asked(gateway, headers, organization_id)
    assert max(status for status, _ in asked) < 500
