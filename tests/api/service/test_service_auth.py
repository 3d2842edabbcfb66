"""Who may: tokens are verified here, permissions by the database, and no route is forgotten."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import APIRouter, Depends, FastAPI
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from escapemaster.api.app import create_app
from escapemaster.api.auth import (
    JWKS_LIFETIME,
    JWKS_PAUSE,
    PUBLIC_ROUTES,
    Jwks,
    Person,
    SharedSecret,
    TokenVerifier,
    require_permission,
    route_permissions,
)
from escapemaster.api.services import Transports
from escapemaster.errors import DomainError, UnavailableError
from escapemaster.settings import Settings

from .conftest import JWT_SECRET
from .fakes import FakePostgrest

USER = "018f0000-0000-7000-8000-00000000000a"
ORGANIZATION = "018f0000-0000-7000-8000-00000000000b"
MakeToken = Callable[..., str]


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "sub": USER,
        "aud": "authenticated",
        "role": "authenticated",
        "iss": "http://gateway.test/auth/v1",
        "iat": now,
        "exp": now + 3600,
        **changes,
    }


def token(key: Any = JWT_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    kid = changes.pop("kid", None)
    left_out = changes.pop("without", ())
    payload = {name: value for name, value in claims(**changes).items() if name not in left_out}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(payload, key, algorithm, headers={"kid": kid} if kid else None)


@pytest.fixture
def guarded(app: FastAPI) -> FastAPI:
    """The application with one guarded route."""
    router = APIRouter()

    @router.post("/v1/refunds")
    async def refund(
        person: Annotated[Person, Depends(require_permission("payments:refund"))],
    ) -> dict[str, Any]:
        context = await person.database.call("my_context", {})
        organization = str(person.organization_id) if person.organization_id else None
        return {"user": str(person.user_id), "organization": organization, "context": context}

    app.include_router(router)
    return app


@pytest.mark.usefixtures("guarded")
async def test_somebody_who_holds_the_permission_may(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    postgrest.answer("my_context", {"ok": True})
    bearer = token()
    response = await client.post(
        "/v1/refunds",
        headers={
            "Authorization": f"Bearer {bearer}",
            "x-organization-id": ORGANIZATION,
            "x-request-id": "mine-3",
        },
    )
    assert response.status_code == 200
    assert response.json() == {
        "user": USER,
        "organization": ORGANIZATION,
        "context": {"ok": True},
    }
    assert postgrest.called("has_permission") == [{"permission": "payments:refund"}]
    for call in postgrest.calls:
        assert call.schema == "public"
        assert call.headers["authorization"] == f"Bearer {bearer}"
        assert call.headers["apikey"] == "sb_publishable_test"
        assert call.headers["x-organization-id"] == ORGANIZATION
        assert call.headers["x-request-id"] == "mine-3"


@pytest.mark.usefixtures("guarded")
async def test_somebody_who_does_not_hold_it_may_not(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=False)
    response = await client.post("/v1/refunds", headers={"Authorization": f"Bearer {token()}"})
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert not postgrest.called("my_context")


@pytest.mark.usefixtures("guarded")
async def test_the_database_s_own_refusal_is_passed_on(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("has_permission", "PT403", "organization_suspended", hint="Pay.")
    response = await client.post("/v1/refunds", headers={"Authorization": f"Bearer {token()}"})
    assert (response.status_code, response.json()["code"]) == (403, "organization_suspended")


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("header", [None, "", "Basic dTpw", "Bearer", "Bearer "])
async def test_without_a_token_nobody_is_anybody(
    client: httpx.AsyncClient, postgrest: FakePostgrest, header: str | None
) -> None:
    response = await client.post(
        "/v1/refunds", headers={} if header is None else {"Authorization": header}
    )
    assert response.status_code == 401
    assert response.json()["code"] in {"token_missing", "token_invalid"}
    assert response.headers["www-authenticate"] == "Bearer"
    assert postgrest.calls == []


@pytest.mark.usefixtures("guarded")
async def test_an_organization_that_is_no_id_is_refused(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    response = await client.post(
        "/v1/refunds", headers={"Authorization": f"Bearer {token()}", "x-organization-id": "mine"}
    )
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert postgrest.calls == []


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims()]
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join([*encoded, ""])


def of_another_user() -> str:
    head, _, signature = token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(sub=ORGANIZATION)).encode()).rstrip(b"=")
    return f"{head}.{body.decode()}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "unsigned": unsigned,
    "another key": lambda: token("another secret that is at least thirty-two bytes"),
    "another algorithm": lambda: token(JWT_SECRET, "HS384"),
    "another user's body": of_another_user,
    "truncated": lambda: token()[:-4],
    "no token": lambda: "not.a.token",
    "expired": lambda: token(exp=int(time.time()) - 60),
    "not yet valid": lambda: token(nbf=int(time.time()) + 60),
    "issued in the future": lambda: token(iat=int(time.time()) + 60),
    "another audience": lambda: token(aud="anon"),
    "no audience": lambda: token(without=("aud",)),
    "no expiry": lambda: token(without=("exp",)),
    "no subject": lambda: token(without=("sub",)),
    "a subject that is no id": lambda: token(sub="root"),
    "the service's own role": lambda: token(role="service_role"),
    "no role": lambda: token(without=("role",)),
}


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_gets_no_further(
    client: httpx.AsyncClient, postgrest: FakePostgrest, forged: Callable[[], str]
) -> None:
    response = await client.post("/v1/refunds", headers={"Authorization": f"Bearer {forged()}"})
    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert postgrest.calls == []


@pytest.mark.parametrize(("issuer", "accepted"), [("https://a.test", True), ("x", False)])
async def test_the_issuer_is_checked_when_it_is_configured(issuer: str, accepted: bool) -> None:
    verifier = TokenVerifier(SharedSecret(JWT_SECRET), issuer="https://a.test")
    if accepted:
        assert await verifier.verify(token(iss=issuer)) == UUID(USER)
    else:
        with pytest.raises(DomainError):
            await verifier.verify(token(iss=issuer))


async def test_clocks_may_differ_a_little() -> None:
    verifier = TokenVerifier(SharedSecret(JWT_SECRET))
    assert await verifier.verify(token(exp=int(time.time()) - 5)) == UUID(USER)


class Project:
    """A project's public keys, as Supabase Auth publishes them."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.extra: list[dict[str, Any]] = []
        self.fetched = 0
        self.broken: httpx.Response | Exception | None = None
        self.now = 1000.0

    def add_ec(self, kid: str) -> None:
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def add_rsa(self, kid: str) -> None:
        self.keys[kid] = rsa.generate_private_key(65537, 2048)

    def sign(self, kid: str, **changes: Any) -> str:
        key = self.keys[kid]
        algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        return token(key, algorithm, kid=kid, **changes)

    def document(self) -> dict[str, Any]:
        keys = []
        for kid, key in self.keys.items():
            public = key.public_key()
            if isinstance(key, ec.EllipticCurvePrivateKey):
                jwk: dict[str, Any] = {**ECAlgorithm.to_jwk(public, as_dict=True), "alg": "ES256"}
            else:
                jwk = {**RSAAlgorithm.to_jwk(public, as_dict=True), "alg": "RS256"}
            keys.append({**jwk, "kid": kid, "use": "sig"})
        return {"keys": [*keys, *self.extra]}

    async def answer(self, request: httpx.Request) -> httpx.Response:
        # As on a network, others get their turn meanwhile.
        await asyncio.sleep(0)
        assert str(request.url) == "http://gateway.test/auth/v1/.well-known/jwks.json"
        self.fetched += 1
        if isinstance(self.broken, Exception):
            raise self.broken
        return self.broken or httpx.Response(200, json=self.document())


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
async def verifier(project: Project) -> AsyncIterator[TokenVerifier]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(project.answer)) as http:
        url = "http://gateway.test/auth/v1/.well-known/jwks.json"
        yield TokenVerifier(Jwks(http, url, clock=lambda: project.now))


async def test_keys_are_fetched_once_and_kept(project: Project, verifier: TokenVerifier) -> None:
    project.add_ec("a")
    project.add_rsa("b")
    for kid in ("a", "b", "a"):
        assert await verifier.verify(project.sign(kid)) == UUID(USER)
    assert project.fetched == 1


async def test_many_at_once_fetch_the_keys_once(project: Project, verifier: TokenVerifier) -> None:
    project.add_ec("a")
    signed = project.sign("a")
    await asyncio.gather(*(verifier.verify(signed) for _ in range(8)))
    assert project.fetched == 1


async def test_a_new_key_is_found_without_a_restart(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_ec("old")
    await verifier.verify(project.sign("old"))
    project.add_ec("new")
    project.now += JWKS_PAUSE + 1
    assert await verifier.verify(project.sign("new")) == UUID(USER)
    assert project.fetched == 2


async def test_a_key_that_was_withdrawn_is_forgotten(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_ec("old")
    signed = project.sign("old")
    await verifier.verify(signed)
    del project.keys["old"]
    project.add_ec("new")
    project.now += JWKS_LIFETIME + 1
    with pytest.raises(DomainError):
        await verifier.verify(signed)


async def test_made_up_key_ids_do_not_make_us_ask_again_and_again(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_ec("a")
    other = Project()
    for number in range(5):
        other.add_ec(str(number))
        with pytest.raises(DomainError):
            await verifier.verify(other.sign(str(number)))
    assert project.fetched == 1


async def test_another_project_s_key_of_the_same_name_is_no_use(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_ec("a")
    other = Project()
    other.add_ec("a")
    with pytest.raises(DomainError):
        await verifier.verify(other.sign("a"))


async def test_a_token_may_not_choose_the_shared_secret_s_algorithm(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_rsa("a")
    with pytest.raises(DomainError):
        await verifier.verify(token(JWT_SECRET, "HS256", kid="a"))


async def test_a_published_shared_secret_is_not_a_key(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_ec("a")
    secret = base64.urlsafe_b64encode(JWT_SECRET.encode()).rstrip(b"=").decode()
    project.extra = [{"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"}]
    with pytest.raises(DomainError):
        await verifier.verify(token(JWT_SECRET, "HS256", kid="shared"))


async def test_a_token_must_name_its_key(project: Project, verifier: TokenVerifier) -> None:
    project.add_ec("a")
    with pytest.raises(DomainError):
        await verifier.verify(token(project.keys["a"], "ES256"))
    assert project.fetched == 0


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ConnectError("x"),
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": []}),
    ],
)
async def test_without_any_key_nobody_is_refused_for_it(
    project: Project, verifier: TokenVerifier, broken: httpx.Response | Exception
) -> None:
    project.add_ec("a")
    project.broken = broken
    with pytest.raises(UnavailableError):
        await verifier.verify(project.sign("a"))
    project.broken = None
    assert await verifier.verify(project.sign("a")) == UUID(USER)


async def test_known_keys_serve_on_while_new_ones_cannot_be_fetched(
    project: Project, verifier: TokenVerifier
) -> None:
    project.add_ec("a")
    await verifier.verify(project.sign("a"))
    project.broken = httpx.ConnectError("x")
    project.now += JWKS_LIFETIME + 1
    assert await verifier.verify(project.sign("a")) == UUID(USER)


async def test_the_application_takes_asymmetric_tokens_when_it_is_given_a_jwks_address(
    settings: Settings, postgrest: FakePostgrest, project: Project
) -> None:
    project.add_ec("a")
    postgrest.returns(has_permission=True)
    app = create_app(
        settings.model_copy(
            update={"supabase_jwks_url": "http://gateway.test/auth/v1/.well-known/jwks.json"}
        ),
        transports=Transports(
            database=postgrest.transport, jwks=httpx.MockTransport(project.answer)
        ),
    )

    @app.get("/v1/guarded", dependencies=[Depends(require_permission("rooms:read"))])
    async def guarded() -> str:
        return "in"

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test") as client,
    ):
        good = await client.get(
            "/v1/guarded", headers={"Authorization": f"Bearer {project.sign('a')}"}
        )
        shared = await client.get("/v1/guarded", headers={"Authorization": f"Bearer {token()}"})
    assert (good.status_code, shared.status_code) == (200, 401)


def test_every_route_asks_for_a_permission_or_is_on_the_public_list(app: FastAPI) -> None:
    unguarded = {
        route for route, permission in route_permissions(app).items() if permission is None
    }
    assert unguarded == set(PUBLIC_ROUTES)


async def reader(person: Annotated[Person, Depends(require_permission("rooms:read"))]) -> Person:
    return person


def test_a_permission_is_seen_wherever_a_route_declares_it(guarded: FastAPI) -> None:
    @guarded.get("/v1/inner")
    async def inner(person: Annotated[Person, Depends(reader)]) -> None: ...

    @guarded.get("/v1/open")
    async def open_to_all() -> None: ...

    guarded.mount("/mounted", FastAPI())
    found = route_permissions(guarded)
    assert found["POST /v1/refunds"] == "payments:refund"
    assert found["GET /v1/inner"] == "rooms:read"
    assert found["GET /v1/open"] is None
    assert found["ANY /mounted"] is None
