"""Tokens at both interfaces of the running stack: PostgREST behind the gateway, and the service."""

from __future__ import annotations

import base64
import hmac
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import Depends

from escapemaster.api.app import create_app
from escapemaster.api.auth import Person, require_permission
from escapemaster.settings import Settings
from stack import Rest, Stack, User, own_address

AsUser = Callable[..., Rest]
MakeUser = Callable[..., User]


@dataclass(frozen=True)
class Keeper:
    """An owner, who makes API keys."""

    user: User
    organization_id: str
    rest: Rest

    def make_key(self, *permissions: str) -> dict[str, Any]:
        made = self.rest.rpc(
            "create_api_key",
            organization_id=self.organization_id,
            name="Till",
            permissions=list(permissions),
        )
        assert made.status_code == 200, made.text
        return dict(made.json())

    def revoke(self, key: dict[str, Any]) -> None:
        revoked = self.rest.rpc(
            "revoke_api_key", organization_id=self.organization_id, api_key_id=key["id"]
        )
        assert revoked.is_success, revoked.text


@pytest.fixture(scope="module")
def keeper(make_user: MakeUser, as_user: AsUser) -> Keeper:
    user = make_user()
    rest = as_user(user)
    name = f"tokens-{uuid4().hex[:10]}"
    created = rest.rpc("create_organization", name=name, slug=name)
    assert created.status_code == 200, created.text
    location = rest.insert("locations", {"name": "Centre", "timezone": "Europe/Madrid"})
    room = {"location_id": location.json()[0]["id"], "slug": "attic", "name": "The Attic"}
    made = rest.insert("rooms", {**room, "price_cents": 2500})
    assert made.status_code == 201, made.text
    customer = rest.get("customers", select="id")
    assert customer.status_code == 200, customer.text
    return Keeper(user, created.json()["id"], rest)


def bearer(keeper: Keeper, token: str) -> Rest:
    """PostgREST with the publishable key and any token."""
    headers = {"apikey": keeper.rest.headers["apikey"], "Authorization": f"Bearer {token}"}
    return Rest(keeper.rest.http, headers)


def exchange(api: httpx.Client, secret: str, address: str | None = None) -> httpx.Response:
    """Ask the service for a token, from an address of one's own on this machine."""
    transport = httpx.HTTPTransport(local_address=address or own_address())
    with httpx.Client(base_url=api.base_url, transport=transport) as own:
        return own.post("/v1/token", json={"api_key": secret})


# -- API keys --------------------------------------------------------------------------------------


def test_a_key_s_token_sees_what_the_key_may_see_and_nothing_else(
    keeper: Keeper, api: httpx.Client
) -> None:
    key = keeper.make_key("rooms:read")
    answer = exchange(api, key["secret"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert body["organization_id"] == keeper.organization_id
    program = bearer(keeper, body["access_token"])
    rooms = program.get("rooms", select="name,organization_id")
    assert rooms.json() == [{"name": "The Attic", "organization_id": keeper.organization_id}]
    for hidden in ("bookings", "customers", "memberships", "api_keys", "audit_log", "calendars"):
        assert program.get(hidden).json() == [], hidden
    for permission, held in {"rooms:read": True, "rooms:update": False}.items():
        assert program.rpc("has_permission", permission=permission).json() is held
    assert program.update("rooms", {"name": "Mine"}, slug="eq.attic").json() == []
    [used] = keeper.rest.get("api_keys", select="last_used_at", id=f"eq.{key['id']}").json()
    assert used["last_used_at"] is not None


def test_a_key_has_no_say_in_another_organization(
    keeper: Keeper, api: httpx.Client, make_user: MakeUser, as_user: AsUser
) -> None:
    stranger = as_user(make_user())
    slug = f"other-{uuid4().hex[:10]}"
    other = stranger.rpc("create_organization", name="Other", slug=slug).json()["id"]
    token = exchange(api, keeper.make_key("rooms:read")["secret"]).json()["access_token"]
    program = bearer(keeper, token)
    elsewhere = Rest(program.http, {**program.headers, "x-organization-id": other})
    assert elsewhere.get("rooms").json() == []


def test_a_revoked_key_s_token_sees_nothing_from_the_next_request_on(
    keeper: Keeper, api: httpx.Client
) -> None:
    key = keeper.make_key("rooms:read")
    program = bearer(keeper, exchange(api, key["secret"]).json()["access_token"])
    assert len(program.get("rooms").json()) == 1
    keeper.revoke(key)
    assert program.get("rooms").json() == []
    assert program.rpc("has_permission", permission="rooms:read").json() is False
    assert exchange(api, key["secret"]).status_code == 401


def test_a_wrong_key_is_refused(api: httpx.Client) -> None:
    answer = exchange(api, f"esk_{uuid4().hex}")
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "access_token" not in answer.text


def test_whoever_tries_many_keys_has_to_wait(api: httpx.Client) -> None:
    address = own_address()
    # 60 a minute; a minute may end while they are tried.
    tries = (exchange(api, f"esk_{uuid4().hex}", address) for _ in range(121))
    answer = next(answer for answer in tries if answer.status_code != 401)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= 60
    assert answer.json()["details"]["retry_after_seconds"] == seconds
    # Only this one.
    assert exchange(api, f"esk_{uuid4().hex}").status_code == 401


# -- forged tokens ---------------------------------------------------------------------------------


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def signed(claims: dict[str, Any], key: Any, algorithm: str, kid: str | None = None) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


def unsigned(claims: dict[str, Any], secret: str) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}."


def signed_with_nothing(claims: dict[str, Any]) -> str:
    # By hand: PyJWT refuses.
    text = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}"
    digest = hmac.digest(b"", text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def of_another_user(claims: dict[str, Any], secret: str) -> str:
    head, _, signature = signed(claims, secret, "HS256").split(".")
    return f"{head}.{encoded({**claims, 'sub': str(uuid4())})}.{signature}"


def of_the_service(claims: dict[str, Any], secret: str) -> str:
    head, _, signature = signed(claims, secret, "HS256").split(".")
    return f"{head}.{encoded({**claims, 'role': 'service_role'})}.{signature}"


def later(**changes: int) -> Callable[[dict[str, Any], str], str]:
    return lambda claims, secret: signed(
        {**claims, **{name: int(time.time()) + by for name, by in changes.items()}},
        secret,
        "HS256",
    )


#: PostgREST lets clocks differ by 30 seconds.
FORGED: dict[str, Callable[[dict[str, Any], str], str]] = {
    "unsigned": unsigned,
    "unsigned, with the old signature": lambda claims, secret: (
        unsigned(claims, secret) + signed(claims, secret, "HS256").rsplit(".", 1)[1]
    ),
    "wrong key": lambda claims, _: signed(claims, "another secret of thirty-two bytes!", "HS256"),
    "empty key": lambda claims, _: signed_with_nothing(claims),
    "another algorithm": lambda claims, secret: signed(claims, secret * 2, "HS512"),
    "wrong audience": lambda claims, secret: signed({**claims, "aud": "else"}, secret, "HS256"),
    "expired": later(iat=-7200, exp=-3600),
    "not yet valid": later(nbf=3600, exp=7200),
    "issued in the future": later(iat=3600, exp=7200),
    "swapped user": of_another_user,
    "swapped role": of_the_service,
    "truncated signature": lambda claims, secret: signed(claims, secret, "HS256")[:-4],
    "no signature": lambda claims, secret: signed(claims, secret, "HS256").rsplit(".", 1)[0],
    "another project's ES256 key": lambda claims, _: signed(
        claims, ec.generate_private_key(ec.SECP256R1()), "ES256", "theirs"
    ),
    "another project's RS256 key": lambda claims, _: signed(
        claims, rsa.generate_private_key(65537, 2048), "RS256", "theirs"
    ),
    "no token": lambda *_: "not.a.token",
}


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The service with a route that needs a permission, on the stack's database."""
    app = create_app(settings)

    @app.get("/v1/who")
    async def who(person: Annotated[Person, Depends(require_permission("rooms:read"))]) -> str:
        return str(person.user_id)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test") as client,
    ):
        yield client


async def asked(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/v1/who", headers={"Authorization": f"Bearer {token}"})


def own_claims(keeper: Keeper) -> dict[str, Any]:
    """What the token of a real user says."""
    return dict(jwt.decode(keeper.user.access_token, options={"verify_signature": False}))


async def test_a_token_that_is_not_forged_opens_both_doors(
    keeper: Keeper, stack: Stack, stack_settings: Settings
) -> None:
    token = signed(own_claims(keeper), stack.jwt_secret, "HS256")
    assert len(bearer(keeper, token).get("rooms").json()) == 1
    async with service(stack_settings) as client:
        assert (await asked(client, token)).json() == keeper.user.id


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_opens_neither_door(
    keeper: Keeper,
    stack: Stack,
    stack_settings: Settings,
    forge: Callable[[dict[str, Any], str], str],
) -> None:
    token = forge(own_claims(keeper), stack.jwt_secret)
    rest = bearer(keeper, token)
    for answer in (rest.get("rooms"), rest.rpc("has_permission", permission="rooms:read")):
        assert answer.status_code == 401, answer.text
        assert "Attic" not in answer.text
    async with service(stack_settings) as client:
        refused = await asked(client, token)
    assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")


async def test_the_service_refuses_another_issuer_when_it_knows_its_own(
    keeper: Keeper, stack: Stack, stack_settings: Settings
) -> None:
    own, other = "http://auth.test/auth/v1", "http://other.test/auth/v1"
    knowing = stack_settings.model_copy(update={"supabase_jwt_issuer": own})
    async with service(knowing) as client:
        for issuer, status in ((own, 200), (other, 401), (None, 401)):
            claims = {**own_claims(keeper), "iss": issuer}
            if issuer is None:
                del claims["iss"]
            answer = await asked(client, signed(claims, stack.jwt_secret, "HS256"))
            assert answer.status_code == status, (issuer, answer.text)


def test_postgrest_refuses_another_issuer_when_the_database_knows_its_own(
    keeper: Keeper, stack: Stack
) -> None:
    # Unique, so that tests beside this one, whose tokens name no issuer, are left alone.
    own = f"http://auth.test/{uuid4().hex}"
    with psycopg.connect(stack.owner_dsn, autocommit=True) as owner:
        owner.execute("insert into private.token_issuers values (%s)", (own,))
        try:
            for issuer, status in ((own, 200), ("http://other.test/auth/v1", 401)):
                token = signed({**own_claims(keeper), "iss": issuer}, stack.jwt_secret, "HS256")
                assert bearer(keeper, token).get("rooms").status_code == status, issuer
        finally:
            owner.execute("delete from private.token_issuers where issuer = %s", (own,))


async def test_a_key_s_token_opens_the_service_too(
    keeper: Keeper, api: httpx.Client, stack_settings: Settings
) -> None:
    key = keeper.make_key("rooms:read")
    token = exchange(api, key["secret"]).json()["access_token"]
    async with service(stack_settings) as client:
        assert (await asked(client, token)).json() == key["id"]
        keeper.revoke(key)
        refused = await asked(client, token)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
